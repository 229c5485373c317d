"""The static parts of a frame: cue outlines, fixation point, saccade targets.

Shapes are signed distances in pixels on a supersampled grid, x to the right and y **up** from
the centre of the frame; a line or disc is thresholded there and averaged down to the pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.simulation.checks import require_range
from mua_decode.types import InputError, nearest_name

Distance = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def _circle(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    return np.hypot(x, y) - half


def _box(x: np.ndarray, y: np.ndarray, half_w: float, half_h: float) -> np.ndarray:
    dx, dy = np.abs(x) - half_w, np.abs(y) - half_h
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0))


def _cross(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    arm = 0.36 * half
    return np.minimum(_box(x, y, half, arm), _box(x, y, arm, half))


def _quatrefoil(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """Four lobes on the sides of a square, which fills the middle where the lobes meet."""
    shift = half / 2
    centres = [(shift, 0), (-shift, 0), (0, shift), (0, -shift)]
    lobes = [np.hypot(x - a, y - b) - shift for a, b in centres]
    return np.min([*lobes, _box(x, y, shift, shift)], axis=0)


def _triangle(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """Point-up equilateral triangle of width ``2 half``, centred on the middle of its height."""
    slope = np.sqrt(3)
    y = y + slope * half / 2  # base at y = 0, apex at slope * half
    side = (slope * np.abs(x) + y - slope * half) / 2
    return np.asarray(np.maximum(side, -y))


OUTLINES: dict[str, Distance] = {
    "cross": _cross,
    "quatrefoil": _quatrefoil,
    "circle": _circle,
    "triangle": _triangle,
}


@dataclass(frozen=True, kw_only=True)
class CueParameters:
    """The cue outlines."""

    # Which outlines are shown, any of ``cross``, ``quatrefoil``, ``circle``, ``triangle``.
    outlines: Sequence[str] = ("cross", "quatrefoil", "circle", "triangle")
    # Outer width of an outline, and width of its line, in pixels.
    span_px: float = 20.0
    line_px: float = 1.5
    grey: int = 180  # grey level of the line, 0..255

    def __post_init__(self) -> None:
        object.__setattr__(self, "outlines", tuple(str(n) for n in self.outlines))
        for name in self.outlines:
            if name not in OUTLINES:
                raise InputError(
                    f"cues: outline '{name}' is unknown{nearest_name(name, OUTLINES)}; "
                    f"use any of {', '.join(OUTLINES)}"
                )
        if not self.outlines or len(set(self.outlines)) != len(self.outlines):
            raise InputError(f"cues: name every outline once, found {list(self.outlines)}")
        require_range("cues", vars(self), "span_px", "line_px", low=0, above=True)
        require_range("cues", vars(self), "grey", low=0, high=255)


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """The supersampled pixel grid of a square frame."""

    size: int  # output pixels along a side
    resolution: float  # output pixels per pixel of the lengths given to the methods
    supersampling: int  # sub-pixels along a side of an output pixel

    def _grid(self) -> tuple[np.ndarray, np.ndarray]:
        n = self.size * self.supersampling
        at = (np.arange(n) + 0.5) / self.supersampling - self.size / 2
        at = at / self.resolution
        return at[None, :], -at[:, None]

    def _average(self, inside: np.ndarray) -> np.ndarray:
        s = self.supersampling
        return np.asarray(inside.reshape(self.size, s, self.size, s).mean(axis=(1, 3)))

    def outline(self, name: str, *, span_px: float, line_px: float) -> np.ndarray:
        """Coverage (size, size) in [0, 1] of an outline; its outer edge spans ``span_px``."""
        x, y = self._grid()
        distance = OUTLINES[name](x, y, (span_px - line_px) / 2)
        return self._average(np.abs(distance) <= line_px / 2)

    def disc(self, *, x_px: float, y_px: float, radius_px: float) -> np.ndarray:
        """Coverage (size, size) in [0, 1] of a filled disc."""
        x, y = self._grid()
        return self._average(np.hypot(x - x_px, y - y_px) <= radius_px)
