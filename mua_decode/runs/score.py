"""Scores of a decoder beside its floors and ceiling, with the pictures to look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor

from mua_decode import __version__, figures
from mua_decode.data import Batch, DecodingData
from mua_decode.metrics import Identification
from mua_decode.models.floor import Floor
from mua_decode.report import Films, within_budget
from mua_decode.runs.build import floor_batches
from mua_decode.runs.drawn import Drawing, write_animation, write_figures
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.page import PAGE
from mua_decode.runs.parts import build_floors
from mua_decode.runs.progress import console, track
from mua_decode.runs.run import Run
from mua_decode.runs.uncertainty import Uncertainty, said, uncertainty
from mua_decode.scoring.averages import as_bytes
from mua_decode.scoring.chance import chance_numbers
from mua_decode.scoring.evaluate import Evaluation, evaluate_decoder
from mua_decode.scoring.flat import flat_metrics
from mua_decode.scoring.held_out import among_held_out
from mua_decode.scoring.standing import Standing
from mua_decode.types import STAND_IN, InputError, ResultTable

Predict = Callable[[Batch], Tensor]
_SHOWN = ("identification", "among_held_out_identified", "pixel_correlation", "ssim", "mse")


def score(
    run: Run, part: str, *, out: RunFolder | None = None, draw: bool = True
) -> dict[str, Any]:
    """Score a run on one part of the split, beside its floors and ceiling.

    Writes ``metrics.json``, ``results.csv`` and, unless ``draw`` or ``figures.draw`` is false,
    then figures to ``out``, by default the run's own folder; returns the flat metrics.
    """
    data, out = run.data, out or run.folder
    if len(data.dataset(part)) == 0:
        raise InputError(f"part={part}: the split leaves it empty")
    metrics = run.metrics
    among = among_held_out(data, part, metrics)
    metrics += among
    identification = Identification(similarity="correlation")
    candidates = data.mean_videos(None)
    label = data.leaks.label(part)
    evaluations: dict[str, Evaluation] = {}
    for name, predict in competitors(run).items():
        batches = track(data.batches(part), f"scoring {name}", n_batches(data, part))
        evaluations[name] = evaluate_decoder(
            predict,
            batches,
            stimuli=data.stimuli,
            candidates=candidates,
            metrics=metrics,
            identify=identification.predicted_condition,
            run=name,
            split=label,
        )
    table = ResultTable.concat([e.table for e in evaluations.values()])
    flat: dict[str, Any] = {
        "leaking": data.leaks.flag,
        "audit": data.audit.line,
        "seed": run.seed,
        "version": __version__,
        **run.origin,
        "n_sites": data.n_sites,
        "n_conditions": data.stimuli.n_conditions,
        f"{part}/n_pseudo_trials": len(data.dataset(part)),
        f"{part}/n_recorded_trials": data.n_recorded_trials(part),
        "chance/identification": 1 / data.stimuli.n_conditions,
        **{f"chance/{m.name}": 1 / len(data.conditions(part)) for m in among},
        **chance_numbers(data, part),
        **flat_metrics(table),
    }
    if STAND_IN in run.recording.notes:
        flat["stand_in"] = True
    if draw:
        sure = uncertainty(run, part)
        if sure is not None:
            sure.write(out, run)
            flat |= sure.flat
        films_of(evaluations["decoder"], data).save(out.films)
    out.save_metrics(flat, table.frame)
    if draw:
        _draw(out, data, evaluations["decoder"], table, sure)
    return flat


def films_of(decoder: Evaluation, data: DecodingData) -> Films:
    """True and decoded videos of the conditions that had trials, as many as a page can hold."""
    shape = (data.n_bins, *data.frame_shape)
    rows = within_budget(len(decoder.conditions), math.prod(shape))
    kept = {
        "true, one trial": decoder.true_example,
        "decoded, one trial": decoder.predicted_example,
        "true, average": decoder.true,
        "decoded, average": decoder.predicted,
    }
    left_out = len(decoder.conditions) - len(rows)
    return Films(
        {name: as_bytes(v[rows].transpose(1, 2)) for name, v in kept.items()},
        [data.stimuli.names[k] for k in decoder.conditions[rows]],
        data.stimuli.segments,
        data.stimuli.frame_s,
        caption="Decoded from single trials, and averaged over the trials of a condition"
        + (f"; {left_out} conditions are left out." if left_out else "."),
    )


def competitors(run: Run) -> dict[str, Predict]:
    """Name the decoder, its floors (fitted on train) and the ceiling; each decodes a batch."""
    data = run.data
    found: dict[str, Predict] = {"decoder": lambda batch: run.decode(batch.spikes)}
    videos = data.mean_videos("train")

    for name, floor in build_floors(run.cfg).items():
        if name == "ridge" and not len(data.dataset("val")):
            console.print("note: without val trials ridge has no penalty to choose; left out")
            continue
        for _ in track([0], f"fitting floor {name}", 1):
            floor.fit(floor_batches(data, "train"), floor_batches(data, "val"), videos)
        found[f"floor/{name}"] = partial(_predict, floor)
    # The best any decoder could do that knows the condition and nothing of the single video.
    found["ceiling/condition_mean"] = lambda batch: videos[batch.condition]
    return found


def _predict(floor: Floor, batch: Batch) -> Tensor:
    return floor.predict(batch.spikes)


def n_batches(data: DecodingData, part: str) -> int:
    """Batches of a part of the split."""
    return -(-len(data.dataset(part)) // data.batch_size)


def _draw(
    run: RunFolder,
    data: DecodingData,
    decoder: Evaluation,
    table: ResultTable,
    sure: Uncertainty | None,
) -> None:
    stamp = data.leaks.stamp
    names = [data.stimuli.names[k] for k in decoder.conditions]
    rows = _spread(len(names), 4)
    timing: dict[str, Any] = {
        "names": [names[i] for i in rows],
        "segments": data.stimuli.segments,
        "frame_s": data.stimuli.frame_s,
    }
    average = (decoder.true[rows].numpy(), decoder.predicted[rows].numpy())
    single = (decoder.true_example[rows].numpy(), decoder.predicted_example[rows].numpy())
    width = None if sure is None else sure.width[rows]
    drawn: dict[str, Drawing] = {}
    for kind, videos, unsure in (("trial_average", average, None), ("single_trial", single, width)):
        below = "" if unsure is None else ", and the width of the 90 % interval"
        title = f"True and decoded frames, {kind.replace('_', ' ')}{below}{stamp}"
        drawn[f"frames_{kind}"] = partial(
            figures.frames, *videos, **timing, spread=unsure, title=title
        )
    if sure is not None:
        drawn["reliability"] = partial(sure.figure, f"How sure it is{stamp}")
    groups = data.stimuli.conditions
    drawn["confusion"] = partial(
        figures.confusion,
        decoder.trial_condition,
        decoder.trial_identified,
        names=data.stimuli.names,
        groups=groups["cue"].astype(str).tolist() if "cue" in groups else None,
        title=f"Condition identified from single decoded trials{stamp}",
    )
    split = str(table.frame["split"].iloc[0])
    if (table.frame["segment"] == "all").any():
        title = f"Single trials and averages{stamp}"
        drawn["scores"] = partial(figures.scores, table, split=split, title=title)
    if run.log.is_file():
        drawn["loss"] = partial(figures.loss_curves, run.log)
    write_figures(drawn, run)
    write = partial(_gif, videos=single, timing=timing)
    write_animation("reconstruction", write, run)


def _gif(path: Path, videos: tuple[Any, Any], timing: dict[str, Any]) -> None:
    figures.write_video(path, *videos, **timing)


def _spread(n: int, most: int) -> list[int]:
    """Up to ``most`` indices spread evenly over 0..n-1."""
    number = min(n, most)
    return [round(i * (n - 1) / max(1, number - 1)) for i in range(number)]


def print_summary(flat: dict[str, Any], run: Path, part: str, *, own: Sequence[str] = ()) -> None:
    """Print the short table at the end of a run; first, what forbids conclusions from it.

    ``own`` are metrics of the user's, shown too.
    """
    standing = Standing.of(flat)
    for line in standing.warnings.values() if standing is not None else ():
        console.print(f"WARNING: {line}", style="bold", highlight=False, soft_wrap=True)
    prefix = f"{part}/single_trial/"
    columns = [m for m in dict.fromkeys((*_SHOWN, *own)) if prefix + m in flat]
    if "pixel_correlation" in columns:
        segments = [k.split("/")[3] for k in flat if k.startswith(f"{prefix}pixel_correlation/")]
        at = columns.index("pixel_correlation") + 1
        columns[at:at] = [f"pixel_correlation/{s}" for s in segments]
    beside = [k.split("/")[:2] for k in flat if k.startswith(("floor/", "ceiling/"))]
    rows = {"decoder": part} | {": ".join(b): "/".join(b) for b in beside}
    title = f"single trials, {part} part, {flat[f'{part}/n_pseudo_trials']} pseudo-trials"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for column in columns:
        text = column.replace("identification", "identified").replace(
            "pixel_correlation", "pixel r"
        )
        text = text.replace("among_held_out_identified", "among/held out")
        table.add_column(text.replace("/", "\n"), justify="right", no_wrap=True)
    for name, key in rows.items():
        values = [flat.get(f"{key}/single_trial/{c}") for c in columns]
        table.add_row(name, *("undefined" if v is None else f"{v:.3f}" for v in values))
    console.print(table)
    if "weights" in flat:
        console.print(flat["weights"], highlight=False, soft_wrap=True)
    names = ("frames_single_trial.png", "reconstruction.gif")
    pictures = [run / "figures" / name for name in names if (run / "figures" / name).is_file()]
    for line in (
        *said(flat, part),
        f"chance of identification {flat['chance/identification']:.4f}; "
        + ("" if part == "test" else f"leaks are counted for the test part, not for {part}: ")
        + str(flat["audit"]),
        *(f"{'look at' if not k else '':<7}  {path}" for k, path in enumerate(pictures)),
        f"numbers  {run / 'metrics.json'}",
        *([f"report   {run / PAGE}"] if (run / PAGE).is_file() else []),
    ):
        console.print(line, highlight=False, soft_wrap=True)
