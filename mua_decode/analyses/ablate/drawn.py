"""The figures of an ablation, each with what it shows and the file that holds its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.analyses.ablate.figure import (
    BOXES,
    SHAPLEY,
    averaging,
    boxes,
    shapley_bars,
    shown_of,
)
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.figures import panels
from mua_decode.report import Films, Picture
from mua_decode.runs.drawn import Drawing
from mua_decode.types import StimulusSet

_COLOURS = (panels.VERMILION, panels.BLUE, panels.GREEN, panels.ORANGE, panels.SKY, panels.PINK,
            panels.BLACK)  # fmt: skip
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_MOST_CONDITIONS, _FRAMES, _MOST_ROWS = 4, 5, 20
_WITHHELD = " The decoder is below a floor: nothing is to be concluded on regions."


@dataclass(frozen=True, eq=False)
class Drawn:
    """What draws the figures, and their captions, by the name of the file."""

    figures: Mapping[str, Drawing]
    captions: Mapping[str, str]


def draw(
    tables: Mapping[str, pd.DataFrame],
    tests: pd.DataFrame,
    films: Films | None,
    segments: Sequence[str],
    *,
    withheld: bool,
    stamp: str = "",
) -> Drawn:
    """Draw losses by region, Shapley values, losses by segment over time, and masked frames.

    Parameters
    ----------
    tables
        ``losses``, ``means`` and ``shapley`` of an ablation.
    segments
        Names of the segments of the trial, in order.
    withheld
        Whether the decoder is below a floor: no loss is then marked as significant.
    stamp
        What every title ends in; says where scores leak.
    """
    fill = str(tables["losses"]["fill"].iloc[0])
    protocol = "published" if fill == "zero" else "rigorous"
    title = f"fill {fill}{stamp}"
    marks = tests.iloc[:0] if withheld else tests[tests["metric"].str.endswith(f", {fill}")]
    first = {k: t[t["fill"] == fill] for k, t in tables.items() if "fill" in t}
    losses = first["losses"]
    every = list(dict.fromkeys(losses["metric"]))  # as in the table on the terminal
    found: dict[str, tuple[Drawing, str]] = {
        "losses": (
            partial(_first, boxes, protocol, losses, marks, title=title, metrics=every),
            f"{BOXES} Numbers: losses.csv, tests.csv.",
        ),
        "shapley": (
            partial(_first, shapley_bars, protocol, first["shapley"], title=title),
            f"{SHAPLEY} Numbers: shapley.csv.",
        ),
        "segments": (
            partial(_course, first["means"], protocol, segments, title=title),
            "Mean loss when a region is masked in one segment of the trial only, over time; 95 % "
            "intervals over conditions. Numbers: means.csv, family segment.",
        ),
    }
    if films is not None:
        caption = (
            "What was shown, what is decoded from all sites, and what is decoded when a region "
            "shows other activity; averages over test trials. Videos: films.npz."
        )
        found["masked_frames"] = (partial(_frames, films, title), caption)
    said = _WITHHELD if withheld else ""
    return Drawn(
        {k: f for k, (f, _) in found.items()}, {k: c + said for k, (_, c) in found.items()}
    )


def _first(draw: Callable[..., list[Picture]], *about: Any, **options: Any) -> Figure | None:
    """The figure that is drawn, if there is anything to draw."""
    drawn = [p.image for p in draw(*about, **options) if isinstance(p.image, Figure)]
    return drawn[0] if drawn else None


def masked_films(
    scored: Sequence[MaskScores],
    stimuli: StimulusSet,
    shown: np.ndarray,
    *,
    names: Sequence[str],
    most_bytes: int = 96 << 20,
) -> Films | None:
    """Videos decoded with every region masked, beside the unmasked ones; first fill.

    Parameters
    ----------
    shown
        uint8 (K, C, T, H, W): the mean video of the conditions ``names``.
    most_bytes
        Of all rows together; conditions beyond are left out, evenly.
    """
    fill = scored[0].fill
    kept = [
        s for s in scored if s.fill == fill and s.mask.family in ("unmasked", "region", "group")
    ]
    kept = [s for s in kept if s.file is not None][:_MOST_ROWS]
    if not kept:
        return None
    n = max(1, min(len(names), most_bytes // (shown[0].nbytes * (len(kept) + 1))))
    rows = np.linspace(0, len(names) - 1, n).round().astype(int)
    videos = {"shown": shown}
    for scores in kept:
        name = "all sites" if scores.mask.family == "unmasked" else scores.mask.name
        videos[name] = scores.video()
    return Films(
        {name: v[rows].transpose(0, 2, 1, 3, 4) for name, v in videos.items()},
        [names[i] for i in rows],
        stimuli.segments,
        stimuli.frame_s,
        caption=f"Averages over test trials; masked sites: fill {fill}.",
    )


def _frames(films: Films, title: str) -> Figure:
    """A few frames of a few conditions, one row per mask."""
    conditions = np.unique(
        np.linspace(0, len(films.conditions) - 1, _MOST_CONDITIONS).round().astype(int)
    )
    n_frames = next(iter(films.rows.values())).shape[1]
    times = np.unique(np.linspace(0, n_frames - 1, _FRAMES).round().astype(int))
    return figures.seen(
        {name: v[np.ix_(conditions, times)] for name, v in films.rows.items()},
        names=[films.conditions[k] for k in conditions],
        times_s=[float(t * films.frame_s) for t in times],
        title=f"Decoded with a region masked: {title}",
    )


def _course(
    means: pd.DataFrame, protocol: str, segments: Sequence[str], *, title: str
) -> Figure | None:
    """Loss of a region masked in one segment only, by segment; one panel per metric."""
    means = averaging(means, protocol)
    rows = means[(means["family"] == "segment") & means["loss"].notna()]
    if not len(rows) or len(segments) < 2:
        return None
    named = "|".join(map(re.escape, segments))
    place = rows["removed"].str.extract(f"^(?P<region>.*) in (?P<segment>{named})$")
    rows = pd.concat([rows, place], axis=1)
    metrics = shown_of(rows["metric"])
    figure, axes = panels.grid(len(metrics), (0.9 * len(segments) + 1.6, 2.9), around=(0, 0.8))
    regions = list(dict.fromkeys(rows["region"]))
    for ax, metric in zip(axes, metrics, strict=True):
        part = rows[rows["metric"] == metric]
        for region, at, colour, marker in _styles(regions):
            line = part[part["region"] == region].set_index("segment").reindex(list(segments))
            value, low, high = (line[c].to_numpy(float) for c in ("loss", "low", "high"))
            x = np.arange(len(segments)) + at
            ax.errorbar(x, value, panels.reach(value, low, high), color=colour, marker=marker,
                        markersize=4.5, capsize=2, linewidth=1.2, label=region)  # fmt: skip
        ax.axhline(0, color="0.5", linewidth=0.8)
        ax.set_xticks(range(len(segments)), segments)
        ax.set_ylabel(panels.metric_axis(metric, part))
        ax.spines[["top", "right"]].set_visible(False)
    panels.heading(figure, f"Loss when a region is masked in one segment, {title}")
    panels.legend_below(figure, axes[0].get_legend_handles_labels()[0], min(len(regions), 6))
    return figure


def _styles(regions: Sequence[str]) -> Iterator[tuple[str, float, str, str]]:
    """Region, sideways place, colour and marker: as many as there are, told apart by pairs."""
    n = len(regions)
    for i, region in enumerate(regions):
        at = 0.0 if n == 1 else 0.4 * (i / (n - 1) - 0.5)
        marker = _MARKERS[(i + i // len(_COLOURS)) % len(_MARKERS)]
        yield region, at, _COLOURS[i % len(_COLOURS)], marker
