"""What is decoded of conditions never trained on, and how scores grow with the data."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mua_decode import figures
from mua_decode.analyses.generalise.curves import (
    curve_metrics,
    curve_table,
    curve_variants,
    drawn_curves,
)
from mua_decode.analyses.generalise.figure import learning_curve
from mua_decode.analyses.generalise.held_out import (
    attribute_metrics,
    choose_sets,
    held_out_metrics,
    held_out_variants,
    label_held_out,
)
from mua_decode.analyses.generalise.plan import GeneralisePlan
from mua_decode.runs.drawn import Drawing
from mua_decode.runs.findings import Findings, relabel, score_table, stamp
from mua_decode.runs.progress import console, hushed
from mua_decode.runs.run import Run
from mua_decode.runs.variants import run_variants, score_unvaried
from mua_decode.types import InputError, ResultTable

_CURVES = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")
_PARTS = ("cue_identified", "colour_identified", "direction_identified")
_HELD_OUT = ("identification", *_PARTS, "ssim")
_DRAWN = (*_HELD_OUT, "among_held_out_identified", "mse", "colour_error", "direction_error")


def generalise(source: Run, plan: GeneralisePlan, folder: Path) -> Findings:
    """Train with conditions or data left out, in folders of ``folder``.

    Raises InputError if there is nothing to train.

    Returns
    -------
    Findings
        Results hold the rows of the run itself (``split`` "test", ``mask`` "none"), of the
        held-out sets (``split`` "test, held out red_90") and of the points of the curves (``mask``
        "18 sites, draw 0", "4 training trials", "2 sessions, draw 0").
    """
    source = _split_by_recorded_trials(source)
    with hushed():
        data = source.data
    stimuli = source.recording.stimuli
    sets = held_out_variants(choose_sets(plan.held_out, stimuli, seed=source.seed), data.stimuli)
    points = curve_variants(plan.curves, data, seed=source.seed)
    if not sets and not points:
        raise InputError("generalise: nothing is left out; see held_out and curves")
    own = score_unvaried(source, folder, given=True).counted
    outcome = run_variants(
        source,
        [*sets.values(), *points.values()],
        folder,
        lambda _, s: (s.counted, int(s.metrics["n_sites"])),
        what="network",
    )
    found = outcome.found
    scored = {p: found[v.name] for p, v in points.items() if v.name in found}
    known = {s: found[v.name][0] for s, v in sets.items() if v.name in found}
    tables = [own, *(relabel(table, mask=p.mask) for p, (table, _) in scored.items())]
    metrics: dict[str, Any] = stamp(source, outcome.failures)
    drawn: dict[str, Drawing] = {}
    written, screen = {}, []
    if known:
        left_out, shown = label_held_out(known, own, stimuli.names)
        tables.append(left_out)
        metrics |= held_out_metrics(known, shown)
        title, few = "Conditions never trained on, single trials", shown["metric"].isin(_DRAWN)
        drawn["held_out"] = partial(figures.comparison, shown[few], title=title)
        screen = [score_table(shown, title=title, names=["row", "run"], metrics=_HELD_OUT)]
    if scored:
        curves = written["curves"] = curve_table(scored, own, data)
        metrics |= curve_metrics(curves)
        drawn["learning_curves"] = partial(
            learning_curve,
            drawn_curves(curves, _CURVES),
            title="Learning curves, single trials of the same test trials",
            bars="± s.d. over draws" if plan.curves.draws > 1 else "",
        )
    table = ResultTable.concat(tables)
    return Findings(results=table, metrics=metrics, tables=written, figures=drawn, screen=screen)


def _split_by_recorded_trials(source: Run) -> Run:
    """The run with metrics of single attributes, its recorded trials split before anything else."""
    changes = list(attribute_metrics(source.recording.stimuli))
    if source.cfg.data.split.unit != "recorded_trial":
        console.print("note: data.split.unit=recorded_trial here, for the run itself as well")
        changes += ["data.split.unit=recorded_trial", "data.split.held_out=[]"]
    return source.changed(changes)
