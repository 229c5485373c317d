"""What a hyper-parameter sweep found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mua_decode.figures.panels import BLUE, VERMILION, grid
from mua_decode.types import InputError

_LOG_FROM = 20.0  # ratio of largest to smallest value from which an axis is logarithmic
_MAP = "cividis"


def sweep_history(table: pd.DataFrame) -> Figure:
    """Draw the loss of every trial in order, and the best so far; ``InputError`` if none finished.

    ``table`` has columns ``trial``, ``state`` (``finished``, ``stopped`` or other), ``val_loss``.
    """
    finished, stopped = _parts(table)
    figure, (ax,) = grid(1, (6, 4))
    best = np.minimum.accumulate(finished["val_loss"].to_numpy(float))
    number = finished["trial"].to_numpy()
    ax.step(number, best, where="post", color=VERMILION, label="best so far")
    ax.plot(number, finished["val_loss"], "o", color=BLUE, label="finished")
    if len(stopped):
        ax.plot(stopped["trial"], stopped["val_loss"], "x", color="0.55", label="stopped early")
    values = np.concatenate([finished["val_loss"], stopped["val_loss"]])
    if values.min() > 0 and values.max() / values.min() > _LOG_FROM:
        ax.set_yscale("log")
    ax.set(xlabel="trial", ylabel="best validation loss of the trial")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return figure


def sweep_importance(table: pd.DataFrame, *, n_trials: int) -> Figure:
    """Draw how much of the variance of the loss each option explains, over finished trials.

    ``table`` has columns ``option`` and ``importance`` (shares of 1).
    """
    ordered = table.sort_values("importance")
    figure, (ax,) = grid(1, (6.5, 1.2 + 0.35 * len(ordered)))
    bars = ax.barh(ordered["option"], ordered["importance"], color=BLUE)
    ax.bar_label(bars, fmt="%.2f", padding=3)
    ax.set(
        xlabel=f"share of the variance of the validation loss (fANOVA, {n_trials} finished trials)",
        xlim=(0, 1.12 * max(0.01, float(ordered["importance"].max()))),
    )
    ax.spines[["top", "right"]].set_visible(False)
    return figure


_Ticks = list[tuple[float, str]]  # height and text


def sweep_parallel(table: pd.DataFrame, options: Sequence[str]) -> Figure:
    """Draw every trial as a line through its options, coloured by its loss, the best on top.

    ``table`` has columns ``state``, ``val_loss`` and the options. Trials stopped early are thin and
    grey; ``InputError`` if none finished.
    """
    finished, stopped = _parts(table)
    shown = pd.concat([stopped, finished.sort_values("val_loss", ascending=False)])
    axes = [_axis(shown[o]) for o in options]
    figure, (ax,) = grid(1, (2.2 + 1.7 * len(options), 4.2))
    low, high = finished["val_loss"].min(), finished["val_loss"].max()
    high = high if high > low else low + max(1e-12, abs(low) * 1e-3)
    norm = LogNorm(low, high) if low > 0 and high / low > _LOG_FROM else Normalize(low, high)
    heights, places = np.column_stack([placed for placed, _ in axes]), range(len(options))
    for row, (state, loss) in enumerate(zip(shown["state"], shown["val_loss"], strict=True)):
        ends = state == "finished"
        style = {"color": colormaps[_MAP](norm(loss)), "lw": 1.6, "marker": "o", "ms": 4}
        quiet = {"color": "0.75", "lw": 0.8, "zorder": 1}
        ax.plot(places, heights[row], **(style if ends else quiet))
    ax.plot(places, heights[-1], color=VERMILION, lw=2.6, zorder=4, label="best trial")
    if len(stopped):
        ax.plot([], [], color="0.75", lw=0.8, label="stopped early")
    _label(ax, [ticks for _, ticks in axes], options)
    label = "validation loss of finished trials"
    figure.colorbar(ScalarMappable(norm, _MAP), ax=ax, pad=0.02, label=label)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def _label(ax: Axes, axes: Sequence[_Ticks], options: Sequence[str]) -> None:
    box = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
    for x, ticks in enumerate(axes):
        ax.axvline(x, color="0.3", lw=0.8, zorder=0)
        for y, text in ticks:
            ax.annotate(text, (x, y), xytext=(-4, 0), textcoords="offset points", ha="right",
                        va="center", fontsize=8, bbox=box, zorder=5)  # fmt: skip
    ax.set_xticks(range(len(options)), [_short(o) for o in options])
    ax.set_yticks([])
    ax.set(xlim=(-0.6, len(options) - 0.8), ylim=(-0.06, 1.06))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _parts(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Finished and stopped trials that have a loss."""
    known = table[np.isfinite(table["val_loss"])]
    finished = known[known["state"] == "finished"]
    if finished.empty:
        raise InputError("sweep: no trial finished; there is nothing to draw")
    return finished, known[known["state"] == "stopped"]


def _axis(values: pd.Series) -> tuple[np.ndarray, _Ticks]:
    """Heights in [0, 1] of an option's values, numbers by size, others by order; and the ticks."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(float)
        low, high = numbers.min(), numbers.max()
        log = low > 0 and high / low >= _LOG_FROM
        ends: np.ndarray = np.log([low, high]) if log else np.array([low, high])
        placed = np.log(numbers) if log else numbers
        width = ends[1] - ends[0]
        heights = (placed - ends[0]) / width if width else np.full(len(numbers), 0.5)
        whole = np.unique(numbers)
        even = 1 < len(whole) <= 6 and np.ptp(np.diff(whole)) == 0
        if even and pd.api.types.is_integer_dtype(values):
            places = [float(heights[numbers == v][0]) for v in whole]
            return heights, [(h, f"{v:.0f}") for h, v in zip(places, whole, strict=True)]
        spread = np.linspace(0, 1, 5)
        marks = np.exp(ends[0] + spread * width) if log else ends[0] + spread * width
        return (heights, [(h, f"{v:.2g}") for h, v in zip(spread, marks, strict=True)])
    names = values.astype(str)
    different = sorted(names.unique())
    last = len(different) - 1
    place = {n: i / last if last else 0.5 for i, n in enumerate(different)}
    return (names.map(place).to_numpy(float), [(h, n) for n, h in place.items()])


def _short(option: str) -> str:
    """Two lines: what it belongs to, and its name."""
    parent, _, last = option.rpartition(".")
    return f"{parent}\n{last}" if parent else last
