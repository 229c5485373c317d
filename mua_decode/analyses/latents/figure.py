"""Points in the plane, coloured by what is known of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from mua_decode.figures import panels
from mua_decode.types import InputError

# Without yellow, which is faint on white.
_COLOURS = (
    panels.BLUE, panels.VERMILION, panels.GREEN, panels.PINK, panels.ORANGE, panels.SKY,
    panels.BLACK,
)  # fmt: skip
_MARKERS = ("o", "^", "s", "D", "v")
_NAMES = {"direction_deg": "direction (degrees)"}
_AXES = {"pca": "principal component", "tsne": "t-SNE axis"}


def embedding(
    points: np.ndarray,
    labels: pd.DataFrame,
    *,
    method: str = "pca",
    explained: tuple[float, float] | None = None,
    silhouettes: Mapping[str, float] | None = None,
    chance: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Draw one panel per label, its classes in colours and markers, the legend below.

    Raises InputError if the shapes do not fit, or there is no label.

    Parameters
    ----------
    points
        float (n, 2).
    labels
        n rows, one panel per column. More than 35 classes are coloured in their order, without a
        legend.
    method
        ``"pca"`` or ``"tsne"``; names the axes.
    explained
        Shares of the variance along the axes, in [0, 1].
    silhouettes, chance
        Silhouette of labels and its mean under permutation, printed over their panels.
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(labels) != len(points):
        raise InputError(
            f"embedding figure: expected points (n, 2) with n labels, found {points.shape} and "
            f"{len(labels)}"
        )
    columns = list(labels.columns)
    if not columns:
        raise InputError("embedding figure: no label to colour the points by")
    lines = max(_legend_lines(labels[c].astype(str).unique().tolist()) for c in columns)
    figure, axes = panels.grid(len(columns), (3.4, 3.9 + 0.16 * lines), around=(0, 0.3))
    for ax, column in zip(axes, columns, strict=True):
        _panel(ax, points, labels[column].astype(str).to_numpy(), figure=figure)
        ax.set_title(_heading(str(column), silhouettes or {}, chance or {}), fontsize=9)
        for i, axis in enumerate((ax.xaxis, ax.yaxis)):
            share = f" ({100 * explained[i]:.0f} % of variance)" if explained else ""
            axis.set_label_text(f"{_AXES.get(method, method)} {i + 1}{share}", fontsize=8)
    panels.heading(figure, title)
    return figure


def _panel(ax: Axes, points: np.ndarray, classes: np.ndarray, *, figure: Figure) -> None:
    known = _ordered(list(dict.fromkeys(classes.tolist())))
    few = _few(known)
    # Drawn in the order of the points: no class lies on top of the others by its name alone.
    style = {}
    for i, name in enumerate(known):
        colour = _COLOURS[i % len(_COLOURS)] if few else colormaps["viridis"](i / len(known))
        style[name] = (colour, _MARKERS[i // len(_COLOURS)] if few else "o")
    for marker in dict.fromkeys(m for _, m in style.values()):
        chosen = np.flatnonzero([style[c][1] == marker for c in classes])
        ax.scatter(points[chosen, 0], points[chosen, 1], c=[style[c][0] for c in classes[chosen]],
                   marker=marker, s=12, alpha=0.75, linewidths=0)  # fmt: skip
    if few:
        for name, (colour, marker) in style.items():
            ax.scatter([], [], color=colour, marker=marker, s=18, label=name)
        below_the_axis_label = ScaledTranslation(0, -16 / 72, figure.dpi_scale_trans)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=_legend_columns(known),
                  bbox_transform=ax.transAxes + below_the_axis_label, borderaxespad=0,
                  frameon=False, fontsize=7, handletextpad=0.2)  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    ax.margins(0.06)
    ax.spines[["top", "right"]].set_visible(False)


def _few(names: list[str]) -> bool:
    return len(names) <= len(_COLOURS) * len(_MARKERS)


def _legend_columns(names: list[str]) -> int:
    return max(1, min(4, 36 // (max(map(len, names)) + 5), len(names)))


def _legend_lines(names: list[str]) -> int:
    return math.ceil(len(names) / _legend_columns(names)) if _few(names) else 0


def _heading(column: str, silhouettes: Mapping[str, float], chance: Mapping[str, float]) -> str:
    name = _NAMES.get(column, panels.words(column))
    if column not in silhouettes or not np.isfinite(silhouettes[column]):
        return name
    text = f"{name}\nsilhouette {silhouettes[column]:z.2f}"
    if column in chance and np.isfinite(chance[column]):
        text += f", chance {chance[column]:z.2f}"
    return text


def _ordered(names: list[str]) -> list[str]:
    """Numbers by size, else as they come in the alphabet."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)
