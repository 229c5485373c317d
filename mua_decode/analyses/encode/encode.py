"""The encoding model of a run: trained on the run's data, scored beside what bounds it."""

from __future__ import annotations

from functools import partial
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__, figures
from mua_decode.analyses.encode.bands import window_note
from mua_decode.analyses.encode.figure import encoding
from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.analyses.encode.score import ENCODER, EncodingScores, score_encoding
from mua_decode.analyses.encode.trace_figure import spectra, traces
from mua_decode.data import DecodingData
from mua_decode.runs.drawn import Drawing
from mua_decode.runs.findings import Findings
from mua_decode.runs.progress import console, track, working
from mua_decode.runs.run import Run
from mua_decode.runs.score import n_batches
from mua_decode.runs.train import Training, fit, prepare
from mua_decode.scoring.flat import key, number
from mua_decode.tasks import EncodeVideo
from mua_decode.types import InputError, ResultTable, region_of

_COLUMNS = {  # of the printed table: heading -> key
    "single trial\nr of sites": "test/single_trial/encoding_r",
    "average\nr of sites": "test/trial_average/encoding_r",
    "region\nr": "test/trial_average/encoding_r_region",
    "time\ncourse": "floor/time_course/trial_average/encoding_r_region",
    "condition\nmean": "floor/condition_mean/trial_average/encoding_r_region",
    "noise\nceiling": "ceiling/split_half/trial_average/encoding_r_region",
    "region r\nover time": "test/trial_average/encoding_r_region_time",
    "noise\nvideos": "chance/noise_videos/trial_average/encoding_r_region_time",
}


def encode(run: Run, plan: EncodePlan, training: Training) -> Findings:
    """Train an encoding model in the folder of its run and score it on the test part.

    ``run`` is the encoding itself, on recording and data of the run it belongs to. ``InputError``
    if an option of the network is wrong, or there is no test trial.
    """
    data = run.data
    _scored_part(data)
    line = f"{data.n_sites} sites, {data.n_bins} bins of {data.pool.bin_s:g} s; {data.audit.line}"
    console.print(line, highlight=False, soft_wrap=True)
    fit(run, prepare(run, EncodeVideo, training.resume), training)
    return score_trained(run, plan)


def _scored_part(data: DecodingData) -> None:
    if not len(data.dataset("test")):
        raise InputError("data.split: test is empty; nothing could be scored")


def score_trained(run: Run, plan: EncodePlan) -> Findings:
    """Score an encoding model that has its weights on the test part.

    ``InputError`` if there is no test trial.
    """
    data, folder = run.data, run.folder
    _scored_part(data)
    network, device = run.network, run.device
    batches = track(data.batches("test"), "predicting the test trials", n_batches(data, "test"))
    with working("scoring beside floors, ceilings and chance"):
        scores = score_encoding(
            lambda video: network(video.to(device)), data, batches, plan=plan, seed=run.seed
        )
    metrics = _about(run, plan) | _flat(scores.table)
    drawn = _drawn(scores, plan, stamp=data.leaks.stamp)
    if folder.log.is_file():
        drawn["loss"] = partial(figures.loss_curves, folder.log)
    bands = [f"{k.replace('bands/', 'band ')}: {v}" for k, v in metrics.items() if "bands/" in k]
    return Findings(
        results=scores.table,
        metrics=metrics,
        tests=scores.tests,
        tables={"sites": scores.sites, "traces": scores.traces, "spectra": scores.spectra},
        figures=drawn,
        screen=[_printed(metrics), *run.origin.values(), *bands],
    )


def _drawn(scores: EncodingScores, plan: EncodePlan, *, stamp: str) -> dict[str, Drawing]:
    title = f"Activity predicted from the video, test part{stamp}"
    drawn: dict[str, Drawing] = {
        "encoding": partial(encoding, scores.table, scores.sites, title=title)
    }
    if len(scores.traces):
        what = f"Averages over trials and sites of a region, test part{stamp}"
        drawn["traces"] = partial(traces, scores.traces, title=what)
    what = f"Power of averages over trials and sites, mean over conditions{stamp}"
    drawn["spectra"] = partial(spectra, scores.spectra, bands=plan.bands, title=what)
    return drawn


def _about(run: Run, plan: EncodePlan) -> dict[str, Any]:
    """What the scores are of; ``bands/BAND`` says whether a band could be measured."""
    data = run.data
    bin_s, window_s = data.pool.bin_s, data.pool.window_s
    about: dict[str, Any] = {
        "leaking": data.leaks.flag,
        "audit": data.audit.line,
        "seed": run.seed,
        "version": __version__,
        **run.origin,
        "n_sites": data.n_sites,
        "n_conditions": len(data.conditions("test")),
        "test/n_pseudo_trials": len(data.dataset("test")),
        "test/n_recorded_trials": data.n_recorded_trials("test"),
        "bin_s": bin_s,
        "window_s": window_s,
    }
    if (activation := getattr(run.network, "video_activation", None)) is not None:
        about["video_activation"] = activation
    for band in plan.bands:
        refusal = band.refusal(bin_s=bin_s, n_bins=data.n_bins)
        note = window_note(band, window_s=window_s)
        said = f"measured; {note}" if note else "measured"
        about[f"bands/{band.name}"] = f"not applicable: {refusal}" if refusal else said
    return about


def _flat(table: ResultTable) -> dict[str, float | None]:
    """Rows over all conditions as ``RUN/TRIAL/METRIC[/REGION]``, RUN of the encoder being test."""
    frame = table.frame[table.frame["condition"] == "all"]
    flat: dict[str, float | None] = {}
    for row in frame.to_dict("records"):
        run = "test" if row["run"] == ENCODER else row["run"]
        region = [] if row["mask"] == "none" else [region_of(row["mask"])]
        flat[key(run, row["trial"], row["metric"], *region)] = number(row["value"])
    return flat


def _printed(metrics: dict[str, Any]) -> Table:
    regions = [k.split("/")[3] for k in metrics if k.startswith("test/single_trial/encoding_r/")]
    title = f"correlation of predicted and recorded activity, test part, {metrics['n_sites']} sites"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for region in regions:
        values = [metrics.get(f"{name}/{region}") for name in _COLUMNS.values()]
        table.add_row(region, *("undefined" if v is None else f"{v:.3f}" for v in values))
    return table
