"""Coherently moving dots in a circular aperture: where they are, and how they look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mua_decode.simulation.checks import require_range, require_whole


@dataclass(frozen=True, kw_only=True)
class DotParameters:
    """The dots of the stimulus."""

    n_dots: int = 400  # dots in the aperture, all moving in one direction
    # Radius of the circle that holds every dot's centre, and diameter of a dot, in pixels.
    aperture_radius_px: float = 10.5
    diameter_px: float = 1.0
    # Speed in pixels per second. With frames 0.1 s apart, 3 to 11 px/s (0.3 to 1.1 pixels per
    # frame) is what optical flow between frames two apart can follow on single videos.
    speed_px_s: float = 8.0
    # The speed of every video is drawn evenly from speed_px_s x (1 - spread) to x (1 + spread).
    speed_spread: float = 0.0

    def __post_init__(self) -> None:
        require_whole("dots", vars(self), "n_dots", low=1)
        require_range("dots", vars(self), "aperture_radius_px", "diameter_px", low=0, above=True)
        require_range("dots", vars(self), "speed_px_s", low=0)
        require_range("dots", vars(self), "speed_spread", low=0, high=1)


def _in_disc(n: int, *, radius: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """``n`` uniform points in a disc: x and y, each (n,)."""
    r = radius * np.sqrt(rng.random(n))
    angle = 2 * np.pi * rng.random(n)
    return r * np.cos(angle), r * np.sin(angle)


def dot_paths(
    dots: DotParameters,
    *,
    direction_deg: float,
    frames: int,
    frame_s: float,
    variants: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the dots of several videos of one condition.

    Every video starts from dots spread evenly at random, and has one speed. A dot that leaves the
    aperture reappears at a random place in it, so that over time the dots thin out at the trailing
    edge and gather towards the leading edge. Directions are degrees counter-clockwise from
    rightward; frames, the first of which shows the start positions, are ``frame_s`` seconds apart.
    Positions x (to the right) and y (up) are float (variants, frames, n_dots), pixels from the
    centre of the aperture.
    """
    shape = (variants, dots.n_dots)
    radius = dots.aperture_radius_px
    step = np.full((variants, 1), dots.speed_px_s * frame_s)
    x = np.empty((variants, frames, dots.n_dots), np.float32)
    y = np.empty_like(x)
    now_x, now_y = (a.reshape(shape) for a in _in_disc(math.prod(shape), radius=radius, rng=rng))
    if dots.speed_spread:  # drawn after the start positions, which stay what they are without it
        step *= 1 + dots.speed_spread * rng.uniform(-1, 1, (variants, 1))
    dx = step * math.cos(math.radians(direction_deg))
    dy = step * math.sin(math.radians(direction_deg))
    for frame in range(frames):
        x[:, frame], y[:, frame] = now_x, now_y
        now_x, now_y = now_x + dx, now_y + dy
        gone = now_x**2 + now_y**2 > radius**2
        now_x[gone], now_y[gone] = _in_disc(int(gone.sum()), radius=radius, rng=rng)
    return x, y


def rasterise(
    x: np.ndarray, y: np.ndarray, *, size: int, diameter: float, supersampling: int
) -> np.ndarray:
    """Share of every pixel that opaque dots cover, with anti-aliasing by supersampling.

    It is uint8 (frames, size, size), 0 (no dot) .. 255 (covered). Dots snap to the sub-pixel grid
    (1 / ``supersampling`` of a pixel) and are the nearest disc of whole sub-pixels; dots that
    overlap do not add up. ``x`` and ``y`` are float (frames, n_dots), output pixels from the
    centre, y up, as ``size`` of the square frame and ``diameter`` of a dot are; ``supersampling``
    counts the sub-pixels along a side of one.
    """
    frames, s = len(x), supersampling
    reach = max(diameter * s / 2, 0.5)
    half = int(reach)
    pad = -(-half // s)  # whole pixels around the frame keep one frame's dots off the next
    side = (size + 2 * pad) * s
    col = np.floor((x + size / 2 + pad) * s).astype(np.int64)
    row = np.floor((size / 2 + pad - y) * s).astype(np.int64)
    flat = (np.arange(frames, dtype=np.int64)[:, None] * side + row) * side + col
    seen = (col >= 0) & (col < side) & (row >= 0) & (row < side)
    grid = np.zeros((frames * side, side), np.uint8)
    grid.ravel()[flat if seen.all() else flat[seen]] = 255
    offset = np.arange(-half, half + 1)
    stamp = (offset[:, None] ** 2 + offset**2 <= reach**2).astype(np.uint8)
    dots = cv2.dilate(grid, stamp)
    small = cv2.resize(dots, (side // s, frames * side // s), interpolation=cv2.INTER_AREA)
    stack = np.asarray(small).reshape(frames, side // s, side // s)
    return stack[:, pad : pad + size, pad : pad + size]
