"""What is seen in videos decoded from one region: colours, directions, and frames to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from mua_decode.analyses.isolate.noise_inputs import PAIRED, asked
from mua_decode.metrics import VideoMetric, circular_difference_deg, circular_mean_deg
from mua_decode.scoring.averages import Averages, as_bytes, known_mean
from mua_decode.scoring.guesses import GUESSES, with_guesses
from mua_decode.scoring.measures import colour_against_all, measure_videos
from mua_decode.statistics import Units, interval_columns, noise_comparison
from mua_decode.types import HypothesisTable, StimulusSet, Stream

DECODED, NOISE = "decoded, trial average", "noise input"
_COLOURS = ("colour_correlation", "colour_cosine")
_SHOWN_CONDITIONS, _SHOWN_FRAMES = 4, 4


@dataclass(frozen=True, eq=False)
class Frames:
    """A few frames of a few conditions, uint8 (M, F, C, H, W) each.

    ``noise`` holds what was decoded from noise inputs, and is empty without any.
    """

    true: np.ndarray
    decoded: np.ndarray
    noise: np.ndarray
    conditions: np.ndarray
    times: np.ndarray

    @classmethod
    def of(cls, averages: Averages, noise: Tensor) -> Frames:
        """Take frames at even times from conditions as far from each other as can be."""
        present, decoded = averages.present.numpy(), averages.decoded
        few = np.unique(np.linspace(0, len(present) - 1, _SHOWN_CONDITIONS).round().astype(int))
        n_frames = decoded.shape[2]
        share = (np.arange(_SHOWN_FRAMES) + 0.5) / _SHOWN_FRAMES
        times = np.unique((share * n_frames).astype(int))

        def cut(videos: Tensor, rows: np.ndarray) -> np.ndarray:
            return as_bytes(videos[rows][:, :, times]).swapaxes(1, 2)

        first = np.arange(min(len(few), len(noise)))
        shown = cut(averages.shown, few), cut(decoded, few), cut(noise, first)
        return cls(*shown, conditions=present[few], times=times)


def measure_alone(
    averages: Averages, noise: Tensor, *, metrics: Sequence[VideoMetric], stimuli: StimulusSet
) -> pd.DataFrame:
    """Measure the mean video of every condition, and those of noise inputs, against the true ones.

    Rows of :func:`measure_videos`, column ``videos`` in front. A noise input stands in one
    condition, in turn, against whose direction its own is measured; its correlation and cosine of
    colour are averages over all conditions, so that no condition counts twice.
    """
    present = averages.present.numpy()
    true = as_bytes(averages.shown)
    turn = np.arange(len(noise)) % len(present)
    shared: Any = {"stimuli": stimuli, "metrics": metrics}
    parts = [
        measure_videos(as_bytes(videos), true[rows], conditions=present[rows], **shared).assign(
            videos=name
        )
        for name, videos, rows in (
            (DECODED, averages.decoded, np.arange(len(present))),
            (NOISE, noise, turn),
        )
        if len(videos)
    ]
    if len(noise):
        parts[-1] = parts[-1].assign(**colour_against_all(as_bytes(noise), true, **shared))
    table = pd.concat(parts, ignore_index=True)
    return table[["videos", *(c for c in table.columns if c != "videos")]]


def colour_tests(measures: pd.DataFrame, *, mask: str) -> HypothesisTable:
    """Correlation and cosine of colour against noise inputs, the published test."""
    kinds = dict(list(measures.groupby("videos")))
    if NOISE not in kinds:
        return HypothesisTable.concat([])
    return HypothesisTable.concat(
        [
            noise_comparison(
                *(kinds[kind][name].to_numpy(float) for kind in (DECODED, NOISE)),
                question=asked(name),
                group=mask,
                metric=f"against_noise/{name}",
                note=PAIRED,
            )
            for name in _COLOURS
            if name in measures
        ]
    )


def summarise(measures: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """One row per network and measure: what the paper prints of one region alone.

    Parameters
    ----------
    measures
        Of :func:`measure_alone`, with a column ``mask``.

    Returns
    -------
    DataFrame: mask, measure, unit, value (mean over conditions, or spread), n_unit, sd,
    n_undefined, the columns of :func:`interval_columns`, noise (the same of the noise inputs).
    Measures:

    - ``colour_correlation``, ``colour_cosine``;
    - ``angle_error``: mean distance of the measured from the rendered direction, degrees;
    - ``angle_sd``: s.d. of measured minus rendered direction over all conditions, round their
      circular mean;
    - ``angle_sd_within``: s.d. of the measured direction within a rendered one, averaged over
      those. A decoder that always says the same has none, right or wrong.

    A direction that is undefined counts as 90 degrees off, from the mean as from the rendered one.
    """
    rng = Stream.SEED_INTERVALS.rng(seed)
    rows: list[dict[str, object]] = []
    for mask, part in measures.groupby("mask", sort=False):
        kinds = {k: v.reset_index(drop=True) for k, v in part.groupby("videos")}
        own = kinds[DECODED]
        noise = (
            {name: value for name, _, value, _ in _values(kinds[NOISE])} if NOISE in kinds else {}
        )
        for name, unit, value, each in _values(own):
            row: dict[str, object] = {
                "mask": mask,
                "measure": name,
                "unit": unit,
                "value": value,
                "n_unit": "conditions",
            }
            if each is not None:
                row["sd"] = float(np.nanstd(each, ddof=1)) if len(each) > 1 else np.nan
                row |= interval_columns(each, _units(own, name), rng=rng)
            else:
                row["n"] = len(own)
            if name.startswith("angle"):
                row["n_undefined"] = int(own["angle_deg"].isna().sum())
            rows.append(row | {"noise": noise.get(name, np.nan)})
    return pd.DataFrame(rows)


def _values(part: pd.DataFrame) -> Iterator[tuple[str, str, float, np.ndarray | None]]:
    """Name, unit and value of each measure, and its values per condition where it is their mean."""
    for name in (c for c in _COLOURS if c in part):
        each = part[name].to_numpy(float)
        yield name, "1", known_mean(each)[0], each
    if {"angle_deg", "direction_deg"} <= set(part):
        rendered = part["direction_deg"].to_numpy(float)
        off = circular_difference_deg(part["angle_deg"].to_numpy(float), rendered)
        each = with_guesses(np.abs(off), guess=GUESSES["direction_error"])
        yield "angle_error", "degrees", float(each.mean()), each
        yield "angle_sd", "degrees", _spread(off), None
        within = [_spread(off[rendered == d]) for d in np.unique(rendered)]
        yield "angle_sd_within", "degrees", float(np.mean(within)), None


def _spread(angle: np.ndarray) -> float:
    """S.d. of angles in degrees round their circular mean, undefined ones 90 degrees off it.

    The circular s.d. has no bound: of angles that cancel it is several turns.
    """
    from_mean = np.abs(circular_difference_deg(angle, circular_mean_deg(angle)))
    each = with_guesses(from_mean, guess=GUESSES["direction_error"])
    return float(np.sqrt((each**2).mean()))


def _units(part: pd.DataFrame, name: str) -> Units:
    column, unit = ("colour", "colours") if name in _COLOURS else ("direction_deg", "directions")
    if column not in part or part[column].nunique() < 2:
        return Units.each(len(part))
    return Units.crossed([(unit, part[column].to_numpy())])


def frame_rows(frames: Mapping[str, Frames]) -> dict[str, np.ndarray]:
    """Rows of the picture of all networks: what was shown, what each decodes, what noise gives."""
    first = next(iter(frames.values()))
    rows = {"true, average": first.true}
    rows |= {name: f.decoded for name, f in frames.items()}
    return rows | {f"{name}, noise input": f.noise for name, f in frames.items() if len(f.noise)}
