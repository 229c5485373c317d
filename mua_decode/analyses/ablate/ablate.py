"""What the decoded video loses without a region: masks scored, compared and tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.changes import change_table, condition_changes
from mua_decode.analyses.ablate.contrasts import region_contrasts
from mua_decode.analyses.ablate.drawn import draw, masked_films
from mua_decode.analyses.ablate.losses import (
    TESTED,
    loss_table,
    loss_tests,
    mask_results,
    mean_losses,
    mean_over_rings,
    without_undefined,
)
from mua_decode.analyses.ablate.masks import masks_asked
from mua_decode.analyses.ablate.mixed import mixed_losses
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.analyses.ablate.predictions import prediction_table, prediction_tests
from mua_decode.analyses.ablate.scorer import score_masks
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.analyses.ablate.shapley import shapley_table
from mua_decode.analyses.ablate.summary import flat_losses, region_table, shapley_printed
from mua_decode.data import DecodingData
from mua_decode.metrics import VideoMetric
from mua_decode.report import Films
from mua_decode.runs.findings import Findings
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.scoring.averages import as_bytes
from mua_decode.scoring.evaluate import not_applicable
from mua_decode.scoring.standing import Standing
from mua_decode.scoring.units import metric_units
from mua_decode.types import HypothesisTable, InputError, Stream

_NONE = pd.DataFrame()


def ablate(run: Run, plan: AblationPlan, folder: Path) -> Findings:
    """Score all masks a plan asks for; they are kept in ``folder`` as they are done.

    Parameters
    ----------
    run
        Trained; its config names the metrics.

    Returns
    -------
    Findings
        Tables: ``losses`` of every mask in every condition and their ``means`` with intervals and
        ranks; ``changes``, the published measure, and ``predictions`` with ``prediction_tests``,
        the published test; ``contrasts`` of regions; ``mixed``, losses of regions in mixed-effects
        models; ``shapley`` and ``subsets``, empty without subsets of regions.

    Raises InputError if no metric applies to the recording, or the part is empty.
    """
    data, sites = run.data, run.data.sites
    metrics, reasons = _applicable(run)
    if len(sites.regions) < 2:
        console.print("note: one region only, there is nothing to compare it with", style="dim")
    masks = masks_asked(plan, sites, data.stimuli.segments)
    scored = score_masks(run, masks, plan, metrics=metrics, folder=folder)
    conditions = np.unique(data.dataset(plan.part).pseudo.condition)
    units = metric_units(data, [m.name for m in metrics], conditions=conditions)
    guess = plan.guess or {}
    of_names: Any = {"metrics": metrics, "names": [data.stimuli.names[k] for k in conditions]}
    table = loss_table(scored, guess=guess, units=units, **of_names)
    losses = without_undefined(mean_over_rings(table))
    means, tests = _compared(losses, plan)
    once = [s for s in scored if s.ring == 0]
    subsets = [s for s in once if s.mask.family == "subset"]
    shapley = shapley_table(subsets, metrics=metrics, guess=guess, seed=plan.seed, units=units)
    tables = {
        "losses": losses,
        "means": means,
        **_moved(once, losses, plan, stimuli=data.stimuli, **of_names, guess=guess, units=units),
        "shapley": shapley,
        "subsets": _videos(subsets, folder),
    }
    standing = Standing.read(run.folder.metrics)
    withheld = standing is not None and standing.withheld
    shown = as_bytes(data.mean_videos(plan.part)[conditions])
    films = masked_films(once, data.stimuli, shown, names=of_names["names"])
    asked = sites.regions if plan.regions is None else plan.regions
    printed = region_table(means, tests, asked, withheld=withheld)
    lines = [f"{m}: not applicable to this recording: {why}" for m, why in reasons.items()]
    return Findings(
        results=mask_results(once, split=data.leaks.label(plan.part), guess=guess, **of_names),
        metrics=flat_losses(means, shapley, reasons) | {"leaking": data.leaks.flag},
        tests=tests,
        tables=tables,
        **_drawn(data, tables, tests, films, withheld=withheld),
        films=films,
        standing=standing,
        screen=[printed, *shapley_printed(shapley), *lines],
        digits=10,
    )


def _drawn(
    data: DecodingData,
    tables: Mapping[str, pd.DataFrame],
    tests: HypothesisTable,
    films: Films | None,
    *,
    withheld: bool,
) -> dict[str, Any]:
    segments = [s.name for s in data.stimuli.segments]
    stamp = data.leaks.stamp
    found = draw(tables, tests.frame, films, segments, withheld=withheld, stamp=stamp)
    return {"figures": found.figures, "captions": found.captions}


def _applicable(run: Run) -> tuple[list[VideoMetric], dict[str, str]]:
    """Metrics that the recording has, and why it lacks the others, by their name."""
    asked = run.metrics
    reasons = {m.name: why for m in asked if (why := not_applicable(m, run.data.stimuli))}
    metrics = [m for m in asked if m.name not in reasons]
    if not metrics:
        raise InputError("metric: none of the metrics applies to this recording")
    return metrics, reasons


def _compared(losses: pd.DataFrame, plan: AblationPlan) -> tuple[pd.DataFrame, HypothesisTable]:
    """Mean losses of every family, and the tests of regions and groups."""
    rng = Stream.ABLATION_TESTS.rng(plan.seed)
    families = list(losses.groupby("family", sort=False))
    means = [mean_losses(part, rng=rng).assign(family=family) for family, part in families]
    tests = [
        loss_tests(part, rng=rng, correction=plan.correction)
        for family, part in families
        if family in TESTED
    ]
    return pd.concat(means, ignore_index=True), HypothesisTable.concat(tests)


def _moved(
    scored: Sequence[MaskScores], losses: pd.DataFrame, plan: AblationPlan, **about: Any
) -> dict[str, pd.DataFrame]:
    """Changes of the reconstruction, the published test of it, and regions against regions."""
    changes = condition_changes(scored, **about)
    known = {k: about[k] for k in ("metrics", "stimuli", "names")}
    predictions = prediction_table(scored, **known)
    regions = losses[losses["family"] == "region"]
    moved = changes[changes["removed"].isin(regions["removed"].unique())]
    pairs = [
        region_contrasts(table, measure=measure, correction=plan.correction)
        for table, measure in ((regions, "loss"), (moved, "change"))
    ]
    return {
        "changes": change_table(changes, rng=Stream.ABLATION_TESTS.rng(plan.seed, 1)),
        "predictions": predictions,
        "prediction_tests": prediction_tests(predictions, correction=plan.correction).frame,
        "contrasts": HypothesisTable.concat(pairs).frame,
        "mixed": mixed_losses(regions, correction=plan.correction) if plan.mixed else _NONE,
    }


def _videos(subsets: Sequence[MaskScores], folder: Path) -> pd.DataFrame:
    """Regions left in, joined by +, in the order of ``subset_masks``, and the file of the video.

    Its ``predicted`` is the mean decoded video of every condition, uint8 (K, C, T, H, W).
    """
    rows = [
        (s.fill, s.mask.name, s.mask.label, str(s.file.relative_to(folder)))
        for s in subsets
        if s.file is not None
    ]
    return pd.DataFrame(rows, columns=["fill", "mask", "regions", "file"])
