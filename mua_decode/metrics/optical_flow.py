"""Optical flow between the frames of a video, and its mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class FarnebackParameters:
    """Options of ``cv2.calcOpticalFlowFarneback`` (Farnebäck 2003, doi:10.1007/3-540-45103-X_50).

    Raises ValueError for a value out of range.

    Parameters
    ----------
    pyr_scale, levels
        Scale from one level of the pyramid to the next, in (0, 1), and number of levels. OpenCV
        drops levels smaller than 32 pixels: frames of 32 x 32 are seen at their own scale only.
    winsize
        Side of the window the flow is averaged over, in pixels.
    iterations
        Per level.
    poly_n, poly_sigma
        Side of the neighbourhood of the polynomial expansion in pixels and the standard
        deviation of its Gaussian weights.
    flags
        OpenCV's ``OPTFLOW_...`` flags, added up; 256 is a Gaussian window. The flow always
        starts from zero (flag 4 is refused).
    """

    pyr_scale: float = 0.5
    levels: int = 3
    winsize: int = 15
    iterations: int = 3
    poly_n: int = 5
    poly_sigma: float = 1.2
    flags: int = 0

    def __post_init__(self) -> None:
        counts = (self.levels, self.winsize, self.iterations)
        if not 0 < self.pyr_scale < 1 or self.poly_sigma <= 0 or min(counts) < 1:
            raise ValueError(
                "flow: pyr_scale must be in (0, 1), poly_sigma > 0, levels, winsize and "
                f"iterations >= 1, found {self}"
            )
        if self.poly_n < 3 or self.poly_n % 2 == 0:
            raise ValueError(f"flow: poly_n must be odd and at least 3, found {self.poly_n}")
        if self.flags & cv2.OPTFLOW_USE_INITIAL_FLOW:
            raise ValueError(f"flow: there is no initial flow to use, found flags {self.flags}")

    def between(self, frames: np.ndarray, *, gap: int) -> np.ndarray:
        """Flow from every frame, float32 (T, H, W) of grey levels 0..255, to the one ``gap`` later.

        float32 (T - gap, H, W, 2): pixels per ``gap`` frames, x right, y **down**.
        """
        options = astuple(self)  # in the order of OpenCV's arguments
        nowhere: Any = None  # to start from; OpenCV's stub asks for an array
        flows = [
            cv2.calcOpticalFlowFarneback(before, after, nowhere, *options)
            for before, after in zip(frames[:-gap], frames[gap:], strict=True)
        ]
        return np.stack(flows)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread: a frame of 32 x 32 takes 0.1 ms, too little to share out."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@dataclass(frozen=True)
class MeanFlow:
    """Flow averaged over pixels and frames."""

    vector: np.ndarray  # float (2,): pixels per frame, x right, y **up**
    # Length of the mean vector over the mean length of the vectors, 0..1: 1 if all pixels of all
    # frames flow one way; 0 for no flow at all.
    coherence: float

    @classmethod
    def of(cls, flow: np.ndarray, *, inside: np.ndarray, gap: int) -> MeanFlow:
        """Average a flow (T, H, W, 2) in pixels per ``gap`` frames over bool (H, W) ``inside``."""
        within = flow[:, inside].astype(np.float64) / gap
        x, y_down = within.mean((0, 1))
        length = float(np.linalg.norm(within, axis=2).mean())
        return cls(
            vector=np.array([x, -y_down]),
            coherence=float(np.hypot(x, y_down)) / length if length > 0 else 0.0,
        )

    @property
    def speed(self) -> float:
        """Length of the mean vector in pixels per frame."""
        return float(np.linalg.norm(self.vector))

    @property
    def angle_deg(self) -> float:
        """Direction of the mean vector, counter-clockwise from rightward, in (-180, 180]."""
        x, y = self.vector
        return float(np.degrees(np.arctan2(y + 0.0, x)))  # + 0.0: never minus zero, which is -180
