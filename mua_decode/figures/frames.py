"""True frames above reconstructed frames, over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mua_decode.figures.panels import grid, how_many
from mua_decode.types import InputError, Segment

_CELL_INCH = 0.62  # side of a frame on paper
_GAP = 0.06  # between frames, as a fraction of a frame


def frames(
    true: np.ndarray,
    predicted: np.ndarray,
    *,
    names: Sequence[str],
    segments: Sequence[Segment],
    frame_s: float,
    n_columns: int = 15,
    spread: np.ndarray | None = None,
    title: str = "",
) -> Figure:
    """Draw a few videos as strips of frames, what was shown above what was decoded.

    Raises InputError if shapes disagree or there is nothing to draw.

    Parameters
    ----------
    true, predicted
        Float arrays (M, C, T, H, W) in [0, 1], C = 1 (grey) or 3 (RGB); values outside are
        clipped. One pair of strips for each of the M videos.
    names
        M names, one per pair.
    segments
        Named stretches of frames, marked above the strips.
    n_columns
        At most so many frames, spread evenly over the video.
    spread
        Float array like ``true``, in [0, 1]: width of every pixel's interval, drawn below as a
        third strip, from 0 (dark) to the widest of all; channels averaged.
    title
        Printed on top; say here whether these are single trials or averages.
    """
    true, predicted = checked_videos(true, predicted, names)
    if spread is not None and spread.shape != true.shape:
        raise InputError(f"figure: spread must be {true.shape}, found {spread.shape}")
    n_videos, _, n_frames, height, width = true.shape
    # The longer side of a frame always has the same length.
    cell_w, cell_h = (_CELL_INCH * side / max(height, width) for side in (width, height))
    left = 1.2 + 0.075 * max(len(n) for n in names)
    n_columns = how_many(min(n_columns, n_frames), 0.8 * cell_w, left + 0.2, least=3)
    shown = np.unique(np.linspace(0, n_frames - 1, n_columns).round().astype(int))
    strip_w = max(len(shown) * cell_w, 3.5)
    size = (left + strip_w + 0.2, (2 if spread is None else 3) * cell_h + 0.2)
    figure, axes = grid(n_videos, size, around=(0, 1.05), n_columns=1)
    if title:
        figure.suptitle(title)
    for row, ax in enumerate(axes):
        _strip(ax, true[row][:, shown], predicted[row][:, shown])
        if spread is not None:
            _unsure(ax, spread[row][:, shown].mean(0), float(spread.mean(1).max()))
        ax.set_ylabel(names[row], rotation=0, ha="right", va="center", labelpad=8)
        ax.set_xticks(range(len(shown)), [])
    _mark_segments(axes[0], segments, shown)
    digits = 1 if abs(frame_s * 10 - round(frame_s * 10)) < 1e-9 else 2
    axes[-1].set_xticks(range(len(shown)), [f"{t * frame_s:.{digits}f}" for t in shown])
    axes[-1].set_xlabel("start of frame (s)")
    return figure


def checked_videos(
    true: np.ndarray, predicted: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return both arrays clipped to [0, 1] as float; raise InputError unless they are pairs."""
    if true.ndim != 5 or true.shape[1] not in (1, 3) or 0 in true.shape:
        raise InputError(
            f"figure: true videos must be (M, C, T, H, W) with C = 1 or 3, found {true.shape}"
        )
    if predicted.shape != true.shape:
        raise InputError(
            f"figure: predicted videos must be {true.shape} like the true ones, "
            f"found {predicted.shape}"
        )
    if len(names) != len(true):
        raise InputError(f"figure: {len(true)} videos need {len(true)} names, found {len(names)}")
    return np.clip(true, 0, 1).astype(float), np.clip(predicted, 0, 1).astype(float)


def _strip(ax: Axes, true: np.ndarray, predicted: np.ndarray) -> None:
    """Draw frames (C, n, H, W): column i at x = i, the true row at y = 0, predicted at y = 1."""
    half = 0.5 - _GAP / 2
    for row, video in enumerate((true, predicted)):
        for column in range(video.shape[1]):
            image = video[:, column].transpose(1, 2, 0)
            place = (column - half, column + half, row + half, row - half)
            ax.imshow(image if image.shape[2] == 3 else image[:, :, 0], extent=place, cmap="gray",
                      vmin=0, vmax=1, interpolation="nearest")  # fmt: skip
    height, width = true.shape[2:]
    ax.set(xlim=(-0.5, true.shape[1] - 0.5), ylim=(1.5, -0.5), aspect=height / width)
    ax.set_yticks([0, 1], ["true", "decoded"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _unsure(ax: Axes, width: np.ndarray, most: float) -> None:
    """Draw widths (n, H, W) as a third row, ``most`` the brightest."""
    half = 0.5 - _GAP / 2
    for column, image in enumerate(width):
        place = (column - half, column + half, 2 + half, 2 - half)
        ax.imshow(image, extent=place, cmap="magma", vmin=0, vmax=most or 1,
                  interpolation="nearest")  # fmt: skip
    ax.set(xlim=(-0.5, len(width) - 0.5), ylim=(2.5, -0.5))
    ax.set_yticks([0, 1, 2], ["true", "decoded", f"width (to {most:.2g})"])


def _mark_segments(ax: Axes, segments: Sequence[Segment], shown: np.ndarray) -> None:
    """Write the names of segments over a bar that spans their frames."""
    above = ax.get_xaxis_transform()
    for segment in segments:
        columns = np.flatnonzero((shown >= segment.start) & (shown < segment.stop))
        if not len(columns):
            continue
        first, last = columns[0] - 0.42, columns[-1] + 0.42
        ax.plot(
            [first, last], [1.04, 1.04], color="0.3", linewidth=1.5, transform=above, clip_on=False
        )
        ax.annotate(segment.name, ((first + last) / 2, 1.04), xycoords=above, xytext=(0, 3),
                    textcoords="offset points", ha="center", va="bottom", fontsize=8,
                    annotation_clip=False)  # fmt: skip
