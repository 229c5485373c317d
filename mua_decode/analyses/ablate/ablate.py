"""What the decoded video loses without a region: masks scored, compared and tested."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.losses import (
    change_table,
    loss_tests,
    losses_by_family,
    mask_results,
    mean_losses,
)
from mua_decode.analyses.ablate.masks import masks_asked
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.analyses.ablate.scorer import score_masks
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.analyses.ablate.shapley import shapley_table
from mua_decode.analyses.ablate.summary import flat_losses, region_table
from mua_decode.metrics import VideoMetric
from mua_decode.runs.findings import Findings
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.scoring.evaluate import not_applicable
from mua_decode.types import HypothesisTable, InputError, Stream


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
        ranks; ``changes``, the published measure; ``shapley`` and ``subsets``, empty without
        subsets of regions.

    Raises
    ------
    InputError
        If no metric applies to the recording, or the part is empty.
    """
    data, asked = run.data, run.metrics
    reasons = {m.name: why for m in asked if (why := not_applicable(m, data.stimuli))}
    metrics = [m for m in asked if m.name not in reasons]
    if not metrics:
        raise InputError("metric: none of the metrics applies to this recording")
    sites = data.pool.sites
    if len(sites.regions) < 2:
        console.print("note: one region only, there is nothing to compare it with", style="dim")
    masks = masks_asked(plan, sites, data.stimuli.segments)
    scored = score_masks(run, masks, plan, metrics=metrics, folder=folder)
    names = [data.stimuli.names[k] for k in np.unique(data.dataset(plan.part).pseudo.condition)]
    of_names = {"metrics": metrics, "names": names}
    losses = losses_by_family(scored, guess=plan.guess or {}, **of_names)
    means, tests = _compared(losses, plan)
    once = [s for s in scored if s.ring == 0]
    split = f"{plan.part} (leaking)" if data.leaking else plan.part
    tables = {
        "losses": losses,
        "means": means,
        **_by_fill(once, plan, metrics=metrics, run=run, folder=folder),
    }
    return Findings(
        results=mask_results(once, split=split, **of_names),
        metrics=flat_losses(means, tables["shapley"], reasons) | {"leaking": data.leaking},
        tests=tests,
        tables=tables,
        screen=[
            region_table(means, tests, sites.regions),
            *(f"{m}: not applicable to this recording: {why}" for m, why in reasons.items()),
        ],
        digits=10,
    )


def _compared(losses: pd.DataFrame, plan: AblationPlan) -> tuple[pd.DataFrame, HypothesisTable]:
    """Mean losses of every family, and the tests of regions and groups."""
    rng = Stream.ABLATION_TESTS.rng(plan.seed)
    families = list(losses.groupby("family", sort=False))
    means = [mean_losses(part, rng=rng).assign(family=family) for family, part in families]
    tests = [
        loss_tests(part, rng=rng, correction=plan.correction)
        for family, part in families
        if family in ("region", "group")
    ]
    return pd.concat(means, ignore_index=True), HypothesisTable.concat(tests)


def _by_fill(
    scored: Sequence[MaskScores],
    plan: AblationPlan,
    *,
    metrics: Sequence[VideoMetric],
    run: Run,
    folder: Path,
) -> dict[str, pd.DataFrame]:
    """Tables of mean videos and of subsets, fill after fill.

    A row of ``subsets`` names the regions left in, joined by +, in the order of ``subset_masks``,
    and an .npz whose ``predicted`` is the mean decoded video of every condition, uint8
    (K, C, T, H, W).
    """
    found: dict[str, list[pd.DataFrame]] = {"changes": [], "shapley": [], "subsets": []}
    for fill, group in itertools.groupby(scored, key=lambda s: s.fill):
        unmasked, *masked = group
        moved = [s for s in masked if s.mask.family in ("region", "group")]
        found["changes"].append(
            change_table(moved, unmasked, metrics=metrics, stimuli=run.data.stimuli)
        )
        subsets = [s for s in masked if s.mask.family == "subset"]
        if not subsets:
            continue
        rng = Stream.SHAPLEY.rng(plan.seed)
        found["shapley"].append(
            shapley_table(subsets, metrics=metrics, guess=plan.guess or {}, rng=rng)
        )
        rows = [
            (fill, s.mask.name, s.mask.label, str(s.file.relative_to(folder)))
            for s in subsets
            if s.file is not None
        ]
        found["subsets"].append(pd.DataFrame(rows, columns=["fill", "mask", "regions", "file"]))
    return {k: pd.concat(t, ignore_index=True) if t else pd.DataFrame() for k, t in found.items()}
