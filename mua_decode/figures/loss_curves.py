"""Training and validation loss by epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from mua_decode.figures import panels
from mua_decode.figures.panels import BLUE, VERMILION, grid
from mua_decode.types import InputError, nearest_name

_LOG_FROM = 8  # ratio of largest to smallest loss from which the axis is logarithmic


def loss_curves(log: Path) -> Figure:
    """Draw the losses that a CSV logger wrote.

    Raises InputError if the file cannot be read, a column is missing or there is no training loss.

    Parameters
    ----------
    log
        The logger's ``metrics.csv``: columns ``epoch``, ``train/loss`` and ``val/loss``, empty
        where a row holds something else. Several rows of one epoch are averaged; without
        validation rows the training loss is drawn alone.
    """
    table = _read(log)
    epoch, loss = _curve(table, "train/loss")
    if not len(loss):
        raise InputError("loss curves: column 'train/loss' holds no value yet")
    figure, (ax,) = grid(1, (6, 4))
    ax.plot(epoch, loss, color=BLUE, marker="o", markersize=3.5, label="training")
    epoch, held_out = _curve(table, "val/loss")
    if len(held_out):
        ax.plot(epoch, held_out, color=VERMILION, marker="s", markersize=3.5, label="validation")
        best = int(held_out.argmin())
        label = f"best epoch {epoch[best]:.0f}: {held_out[best]:.4g}"
        ax.axvline(epoch[best], color="0.6", linestyle=":", zorder=0)
        ax.plot(epoch[best], held_out[best], "*", markersize=11, color=VERMILION, label=label)
    _scale(ax, np.concatenate([loss, held_out]))
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    if panels.width_given():
        panels.legend_below(figure, ax.get_legend_handles_labels()[0], 3)
    else:
        ax.legend(frameon=False)
    return figure


def _scale(ax: Axes, values: np.ndarray) -> None:
    """Make the loss axis logarithmic if the losses span enough."""
    if values.min() > 0 and values.max() / values.min() > _LOG_FROM:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())


def _curve(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and the mean loss of each, both (E,), of rows that hold a loss."""
    if column not in table.columns:
        return np.zeros(0), np.zeros(0)
    curve = table[["epoch", column]].dropna().groupby("epoch")[column].mean()
    return curve.index.to_numpy(float), curve.to_numpy(float)


def _read(log: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(log)
    except FileNotFoundError:
        raise InputError(f"loss curves: {log} does not exist") from None
    except (OSError, ValueError) as error:
        raise InputError(f"loss curves: {log} is not a readable CSV file: {error}") from None
    for column in ("epoch", "train/loss"):
        if column not in table.columns:
            raise InputError(
                f"loss curves: no column '{column}'{nearest_name(column, map(str, table.columns))};"
                f" found: {', '.join(map(str, table.columns))}"
            )
    return table
