"""True and decoded frames as plain pixels, drawn in milliseconds while a network trains."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import imageio.v3 as iio
import numpy as np

_SIDE = 48  # pixels of a frame
_GAP, _MARGIN, _LINE = 2, 8, 18
_COLUMNS = 15
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def live_strip(
    true: np.ndarray, decoded: np.ndarray, *, names: Sequence[str], lines: Sequence[str] = ()
) -> np.ndarray:
    """Lay out frames of a few videos, true above decoded, with a line of text on top of each.

    Parameters
    ----------
    true, decoded
        uint8 (M, T, C, H, W), C = 1 or 3.
    names
        Of the M videos.
    lines
        Written above all of them; signs beyond ASCII are drawn as ``?``.

    Returns
    -------
    uint8 (height, width, 3), RGB.
    """
    times = np.unique(np.linspace(0, true.shape[1] - 1, _COLUMNS).round().astype(int))
    rows: list[str | np.ndarray] = []
    for name, one, other in zip(names, true, decoded, strict=True):
        rows += [name, *(np.hstack([_cell(v[t]) for t in times]) for v in (one, other))]
    width = 2 * _MARGIN + max(len(times) * (_SIDE + _GAP), 480)
    parts = [_text(line, width) for line in lines]
    for row in rows:
        parts.append(_text(row, width) if isinstance(row, str) else _padded(row, width))
    return np.vstack([*parts, np.full((_MARGIN, width, 3), 255, np.uint8)])


def live_film(true: np.ndarray, decoded: np.ndarray, *, frame_s: float) -> bytes:
    """A GIF of a few videos side by side, true above decoded; arrays as of :func:`live_strip`."""
    frames = [
        np.vstack([np.hstack([_cell(video[t]) for video in both]) for both in (true, decoded)])
        for t in range(true.shape[1])
    ]
    milliseconds = max(20, round(1000 * frame_s))
    return iio.imwrite("<bytes>", np.stack(frames), extension=".gif", duration=milliseconds, loop=0)


def png_bytes(image: np.ndarray) -> bytes:
    """Encode uint8 (height, width, 3) RGB as PNG."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def _cell(frame: np.ndarray) -> np.ndarray:
    """One frame (C, H, W) in colour, enlarged, with a gap on its right and below."""
    colour = np.broadcast_to(frame, (3, *frame.shape[1:])).transpose(1, 2, 0)
    large = cv2.resize(
        np.ascontiguousarray(colour), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST
    )
    return np.pad(large, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _text(line: str, width: int) -> np.ndarray:
    image = np.full((_LINE, width, 3), 255, np.uint8)
    plain = line.encode("ascii", "replace").decode()
    at = (_MARGIN, _LINE - 5)
    return np.asarray(cv2.putText(image, plain, at, _FONT, 0.42, (40, 40, 40), 1, cv2.LINE_AA))


def _padded(row: np.ndarray, width: int) -> np.ndarray:
    right = width - _MARGIN - row.shape[1]
    return np.pad(row, ((0, 0), (_MARGIN, right), (0, 0)), constant_values=255)
