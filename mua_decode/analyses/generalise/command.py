"""What is decoded of conditions never trained on, and how scores grow with the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from omegaconf import DictConfig, OmegaConf

from mua_decode import figures
from mua_decode.analyses.generalise.curves import (
    CurvePlan,
    curve_table,
    curve_variants,
    drawn_curves,
)
from mua_decode.analyses.generalise.figure import learning_curve
from mua_decode.analyses.generalise.held_out import (
    HeldOutPlan,
    attribute_metrics,
    drawn_held_out,
    held_out_variants,
    label_held_out,
)
from mua_decode.runs.build import build_data
from mua_decode.runs.progress import console
from mua_decode.runs.source import (
    guessed,
    key,
    number,
    open_source,
    print_scores,
    relabel,
    unvaried,
    with_guesses_of,
    write_outputs,
)
from mua_decode.runs.variants import changed_config, hushed, run_variants
from mua_decode.types import InputError, Recording, ResultTable

_CURVES = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")

_PARTS = ("cue_identified", "colour_identified", "direction_identified")
_HELD_OUT = ("identification", *_PARTS, "ssim")
_DRAWN = (*_HELD_OUT, "among_held_out_identified", "mse", "colour_error", "direction_error")


def run(cfg: DictConfig) -> ResultTable:
    """Hold out conditions of a run, and train it again with less data.

    Held out are colour × direction combinations, pairs of cue and stimulus, or movies: lookup
    cannot return their videos, so what is better than lookup was put together from parts. Curves
    run over sites, training trials and sessions, on the test trials of the run. FOLDER/generalise
    holds results.csv, curves.csv (x is a number there), metrics.json, figures/ and one folder per
    network. Directions that are undefined count as guesses. After Ctrl-C the same command goes on
    where it stopped.
    """
    source = open_source(cfg, "generalise")
    held_out, curves = (
        OmegaConf.to_container(cfg[k], resolve=True) for k in ("held_out", "curves")
    )
    assert isinstance(held_out, dict)
    assert isinstance(curves, dict)
    sets = held_out.get("sets")
    if sets is not None and not (isinstance(sets, list) and all(isinstance(s, list) for s in sets)):
        raise InputError(f"held_out.sets: expected lists of condition names, found {sets}")
    return generalise(
        source.cfg,
        source.folder,
        recording=source.recording,
        held_out=HeldOutPlan(**{str(k): v for k, v in held_out.items()}),
        curves=CurvePlan(**{str(k): v for k, v in curves.items()}),
        checkpoint=source.checkpoint,
    )


def generalise(
    source: DictConfig,
    folder: Path,
    *,
    recording: Recording,
    held_out: HeldOutPlan | None = None,
    curves: CurvePlan | None = None,
    checkpoint: Path | None = None,
    overrides: Sequence[str] = (),
) -> ResultTable:
    """Train with conditions or data left out; see :func:`run` for the files.

    Parameters
    ----------
    source
        Resolved config of a run.
    folder
        Where to write.
    held_out, curves
        What is left out; ``None``: the defaults.
    checkpoint
        Best weights of the run; without it, or with overrides, its decoder is trained as well.
    overrides
        Changes of ``source`` for all networks.

    Returns
    -------
    ResultTable
        Rows of the run itself (``split`` "test", ``mask`` "none"), of the held-out sets
        (``split`` "test, held out red_90") and of the points of the curves (``mask`` "18 sites,
        draw 0", "4 training trials", "2 sessions, draw 0").

    Raises
    ------
    InputError
        If there is nothing to train.
    """
    held_out, curves = held_out or HeldOutPlan(), curves or CurvePlan()
    changes = [*overrides, *attribute_metrics(recording.stimuli)]
    if source.data.split.unit != "recorded_trial":
        console.print("note: data.split.unit=recorded_trial here, for the run itself as well")
        changes += ["data.split.unit=recorded_trial", "data.split.held_out=[]"]
        checkpoint = None
    source = changed_config(source, changes)
    with hushed():
        data = build_data(source, recording)
    sets = held_out_variants(
        held_out.choose(recording.stimuli, seed=int(source.seed)), data.stimuli
    )
    points = curve_variants(curves, data, seed=int(source.seed))
    if not sets and not points:
        raise InputError("generalise: nothing is left out; see held_out and curves")
    own = unvaried(
        source, folder, recording=recording, checkpoint=None if overrides else checkpoint
    )
    variants = [*sets.values(), *points.values()]
    found = run_variants(source, variants, folder, recording=recording, what="network")
    own = guessed(own, source, data)
    counted = with_guesses_of(found.tables, variants, source, recording)
    known = {s: counted[v.name] for s, v in sets.items() if v.name in counted}
    scored = {p: counted[v.name] for p, v in points.items() if v.name in counted}
    tables = [own, *(relabel(t, mask=p.mask) for p, t in scored.items())]
    metrics: dict[str, object] = {}
    drawn: dict[str, Figure] = {}
    written: dict[str, pd.DataFrame] = {}
    shown = pd.DataFrame()
    if known:
        left_out = label_held_out(known, own, recording.stimuli.names)
        tables.append(left_out)
        shown = drawn_held_out(left_out)
        for chosen in known:
            metrics[f"held_out/{chosen.name}/what"] = chosen.what
        for row in shown.to_dict("records"):
            name = key("held_out", row["row"], row["run"], "single_trial", row["metric"])
            metrics[name] = number(row["value"])
        title = "Conditions never trained on: single trials"
        drawn["held_out"] = figures.comparison(shown[shown["metric"].isin(_DRAWN)], title=title)
    if scored:
        written["curves"] = curve_table(scored, points, own, data, folder)
        for row in written["curves"].to_dict("records"):
            at = f"{row['axis'].replace(' ', '_')}={row['x']:g}"
            name = key("curve", at, f"draw_{row['draw']}", row["run"], row["trial"], row["metric"])
            metrics[name] = number(row["value"])
        bars = "± s.d. over draws" if curves.draws > 1 else ""
        drawn["learning_curves"] = learning_curve(
            drawn_curves(written["curves"], _CURVES),
            title="Learning curves, single trials of the same test trials",
            bars=bars,
        )
    table = ResultTable.concat(tables)
    write_outputs(
        folder,
        source,
        table,
        metrics=metrics,
        failures=found.failures,
        drawn=drawn,
        tables=written,
    )
    if known:
        title = "conditions never trained on, single trials"
        print_scores(shown, folder, title=title, names=["row", "run"], metrics=_HELD_OUT)
    return table
