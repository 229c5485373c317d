"""What an encoding leaves in its folder and on the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__, figures
from mua_decode.analyses.encode.bands import window_note
from mua_decode.analyses.encode.figure import encoding
from mua_decode.analyses.encode.score import EncodingScores, EncodingSettings
from mua_decode.data import DecodingData
from mua_decode.files import write_text
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console

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


def encoding_metrics(
    scores: EncodingScores, data: DecodingData, settings: EncodingSettings, *, seed: int
) -> dict[str, Any]:
    """Flatten the rows over all conditions.

    Keys are ``test/TRIAL/METRIC[/REGION]`` for the encoder and ``RUN/TRIAL/METRIC[/REGION]`` for
    what stands beside it; ``bands/BAND`` says whether a band could be measured.
    """
    flat: dict[str, Any] = {
        "leaking": data.leaking,
        "audit": data.audit.line,
        "seed": seed,
        "version": __version__,
        "n_sites": data.n_sites,
        "n_conditions": len(data.conditions("test")),
        "test/n_pseudo_trials": len(data.dataset("test")),
        "test/n_recorded_trials": data.n_recorded_trials("test"),
        "bin_s": data.pool.bin_s,
        "window_s": data.pool.window_s,
    }
    for band in settings.bands:
        refusal = band.refusal(bin_s=data.pool.bin_s, n_bins=data.n_bins)
        note = window_note(band, window_s=data.pool.window_s)
        said = f"measured; {note}" if note else "measured"
        flat[f"bands/{band.name}"] = f"not applicable: {refusal}" if refusal else said
    frame = scores.table.frame
    for row in frame[frame["condition"] == "all"].to_dict("records"):
        run, mask = str(row["run"]), str(row["mask"])
        parts = ["test" if run == "encoder" else run, str(row["trial"]), str(row["metric"])]
        if mask != "none":
            parts.append(mask.removeprefix("only "))
        value = float(row["value"])
        flat["/".join(parts)] = round(value, 9) if math.isfinite(value) else None
    return flat


def write_encoding(
    folder: RunFolder, scores: EncodingScores, flat: dict[str, Any], data: DecodingData
) -> None:
    """Write sites.csv, tests.csv, figures/, results.csv and metrics.json, the last at the end."""
    write_text(folder.path / "sites.csv", scores.sites.to_csv(index=False, float_format="%.6g"))
    tests = scores.tests.frame.to_csv(index=False, float_format="%.6g")
    write_text(folder.path / "tests.csv", tests)
    stamp = " - LEAKING: pooled before the split" if data.leaking else ""
    title = f"Activity predicted from the video, test part{stamp}"
    drawn = encoding(scores.table, scores.sites, title=title)
    figures.save(drawn, folder.figure("encoding.png"))
    if folder.log.is_file():
        figures.save(figures.loss_curves(folder.log), folder.figure("loss.png"))
    folder.save_metrics(flat, scores.table.frame)


def print_encoding(flat: dict[str, Any], path: Path) -> None:
    """Print the short table at the end."""
    regions = [k.split("/")[3] for k in flat if k.startswith("test/single_trial/encoding_r/")]
    title = f"correlation of predicted and recorded activity, test part, {flat['n_sites']} sites"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for region in regions:
        values = [flat.get(f"{key}/{region}") for key in _COLUMNS.values()]
        table.add_row(region, *("undefined" if v is None else f"{v:.3f}" for v in values))
    console.print(table)
    lines = [f"{k.replace('bands/', 'band ')}: {v}" for k, v in flat.items() if "bands/" in k]
    figure, numbers = path / "figures" / "encoding.png", path / "metrics.json"
    for line in (*lines, f"look at  {figure}", f"numbers  {numbers}"):
        console.print(line, highlight=False, soft_wrap=True)
