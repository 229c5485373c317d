"""How sure the decoder of a run is, and how far that holds on trials it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.data import Batch
from mua_decode.files import write_text
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.intervals import keep_intervals, with_variance
from mua_decode.runs.progress import console, track
from mua_decode.runs.run import Run
from mua_decode.scoring.confidence import confidence
from mua_decode.scoring.coverage import FEWEST, PixelIntervals, calibrate, cover, varying_pixels
from mua_decode.scoring.units import metric_units


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Coverage of intervals and accuracy by confidence, on one part of the split.

    Parameters
    ----------
    coverage, curve
        ``coverage.csv`` and ``confidence.csv``.
    width
        Float (Q, C, T, H, W): width of the 90 % interval in the first trial of every condition.
    flat
        Headline numbers.
    intervals
        That were counted.
    """

    coverage: pd.DataFrame
    curve: pd.DataFrame
    width: np.ndarray
    flat: dict[str, float]
    intervals: PixelIntervals

    def write(self, out: RunFolder, run: Run) -> None:
        """Write both tables, and the intervals of the run's weights."""
        keep_intervals(self.intervals, run, out)
        for name, table in (("coverage", self.coverage), ("confidence", self.curve)):
            text = table.to_csv(index=False, float_format="%.6g")
            write_text(out.path / f"{name}.csv", text)

    def figure(self, title: str) -> Figure:
        """Draw both."""
        return figures.reliability(self.coverage, self.curve, title=title)


def uncertainty(run: Run, part: str) -> Uncertainty | None:
    """Calibrate the decoder's intervals on validation trials and count how often they hold.

    ``None``, and a line that says why, where there are too few validation trials, or they are
    what is scored.
    """
    data = run.data
    if part == "val" or len(data.dataset("val")) < FEWEST:
        why = "they are what is scored" if part == "val" else f"fewer than {FEWEST}"
        console.print(f"note: no intervals, which validation trials calibrate: {why}", style="dim")
        return None
    decode = lambda batch: with_variance(run, batch.spikes)  # noqa: E731
    varying = varying_pixels(data.mean_videos("train"))
    intervals = calibrate(decode, partial(data.batches, "val"), varying)
    if intervals is None:
        return None
    found = cover(decode, _batches(run, part, "how sure it is of pixels"), intervals, varying)
    conditions = np.unique(found.condition)
    units = metric_units(data, ["coverage"], conditions=conditions)["coverage"]
    table = found.table(data.stimuli.names, units, part=part, seed=run.seed)
    sure = confidence(
        lambda batch: run.decode(batch.spikes),
        data.batches("val"),
        _batches(run, part, "how sure it is of conditions"),
        data.mean_videos(None),
    )
    curve = sure.curve(part=part)
    flat = _flat(table, curve, part)
    return Uncertainty(table, curve, found.example.numpy(), flat, intervals)


def _batches(run: Run, part: str, what: str) -> Iterable[Batch]:
    data = run.data
    number = -(-len(data.dataset(part)) // data.batch_size)
    return track(data.batches(part), what, number)


def _flat(coverage: pd.DataFrame, curve: pd.DataFrame, part: str) -> dict[str, float]:
    flat = {}
    for row in coverage[coverage["condition"] == "all"].to_dict("records"):
        key = f"{part}/coverage/{row['nominal']:g}/{row['pixels']}"
        flat[key] = float(row["covered"])
        if row["pixels"] == "varying":
            flat[f"{part}/interval_width/{row['nominal']:g}"] = float(row["width"])
    for row in curve.to_dict("records"):
        if row["kept"] in (0.5, 0.8):
            flat[f"{part}/identified_of_surest/{row['kept']:g}"] = float(row["accuracy"])
    return flat


def said(flat: Mapping[str, Any], part: str) -> list[str]:
    """One line for the terminal; none where there are no intervals."""
    covered = flat.get(f"{part}/coverage/0.9/varying")
    if covered is None:
        return []
    width = flat[f"{part}/interval_width/0.9"]
    surest = flat[f"{part}/identified_of_surest/0.8"]
    return [
        f"90 % intervals hold {covered:.1%} of the pixels that vary, mean width {width:.3f}; "
        f"of the surest 80 % of trials {surest:.3f} are identified"
    ]
