"""Frames of several decodings, one below the other, beside what was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from mua_decode.figures import panels

_CELL_INCH, _LEAST_INCH, _NAMES_INCH = 0.52, 0.4, 2.0
_LINE, _GAP = 1, 4  # pixels between frames, and between conditions


def seen(
    rows: Mapping[str, np.ndarray], *, names: Sequence[str], times_s: Sequence[float], title: str
) -> Figure:
    """Draw a row of frames per decoding, conditions side by side.

    Parameters
    ----------
    rows
        uint8 (M, F, C, H, W) by the name of the row: F frames of up to M conditions. On paper of
        a given width, as many of them are drawn, evenly, as it has room for.
    names
        Of the M conditions.
    times_s
        Start of the F frames.
    """
    n_frames = len(times_s)
    room = panels.how_many(len(names), _LEAST_INCH * n_frames, _NAMES_INCH)
    drawn = np.linspace(0, len(names) - 1, room).round().astype(int)
    names = [names[k] for k in drawn]
    rows = {name: videos[drawn[drawn < len(videos)]] for name, videos in rows.items()}
    n_conditions = len(names)
    height, width = next(iter(rows.values())).shape[-2:]
    inches = _CELL_INCH * n_conditions * n_frames + _NAMES_INCH, _CELL_INCH * len(rows) + 1.0
    figure = Figure(figsize=inches, layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    block = n_frames * (width + _LINE) + _GAP
    starts = [m * block + f * (width + _LINE) for m in range(n_conditions) for f in range(n_frames)]
    for ax, (name, videos) in zip(axes, rows.items(), strict=True):
        strip = np.full((height, n_conditions * block - _GAP - _LINE, 3), 255, np.uint8)
        for m, video in enumerate(videos):
            for f, frame in enumerate(video):
                at = starts[m * n_frames + f]
                strip[:, at : at + width] = frame.transpose(1, 2, 0)
        ax.imshow(strip, interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    middles = [m * block + (block - _GAP) / 2 for m in range(n_conditions)]
    top = axes[0].secondary_xaxis("top")
    top.set_xticks(middles, names, fontsize=8)
    top.tick_params(length=0)
    top.spines[:].set_visible(False)
    # As many digits as tell the frames apart.
    digits = next(
        d for d in range(1, 7) if d == 6 or len({f"{t:.{d}f}" for t in times_s}) == n_frames
    )
    seconds = [f"{t:.{digits}f}" for t in times_s] * n_conditions
    axes[-1].set_xticks([s + width / 2 for s in starts], seconds, fontsize=7)
    axes[-1].set_xlabel("start of frame (s)", fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure
