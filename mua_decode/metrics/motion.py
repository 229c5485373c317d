"""Which way the stimulus moves, from optical flow."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from mua_decode.metrics.aperture import RADIUS, disc, to_grey
from mua_decode.metrics.candidate_cache import CandidateCache
from mua_decode.metrics.optical_flow import FarnebackParameters, MeanFlow, one_thread
from mua_decode.metrics.protocol import Shown, check_pair

_MIN_SIDE_PX = 8
_CANCELLED = 1e-9  # resultant length of angles that cancel but for rounding


def circular_difference_deg(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """Signed difference ``a - b`` of angles in degrees, in [-180, 180); NaN where either is."""
    difference: np.ndarray = (np.asarray(a, float) - np.asarray(b, float) + 180) % 360 - 180
    return difference


def circular_mean_deg(angles: np.ndarray) -> float:
    """Circular mean of angles in degrees, in [-180, 180]; NaN entries are left out.

    NaN if none is left, or if the angles cancel: 0 and 180 have no mean.
    """
    angles = np.asarray(angles, float)
    defined = angles[~np.isnan(angles)]
    if not len(defined) or abs(np.exp(1j * np.radians(defined)).mean()) < _CANCELLED:
        return float("nan")
    return float(stats.circmean(defined, high=180, low=-180))


def circular_sd_deg(angles: np.ndarray) -> float:
    """Circular standard deviation in degrees, unbounded; NaN left out, NaN if none is left."""
    angles = np.asarray(angles, float)
    defined = angles[~np.isnan(angles)]
    return float(stats.circstd(defined, high=180, low=-180)) if len(defined) else float("nan")


class Motion:
    """Difference in degrees between the directions in which decoded and shown stimulus move.

    The direction is that of the optical flow between frames ``gap`` apart, averaged over the
    aperture and the frames of the slice given. A decoded video is measured by itself; what was
    shown is measured on the candidate of its condition, the mean over that condition's videos.
    For dots of 0.3 to 1.1 pixels per frame the direction is right within 4 degrees on the mean
    of 60 videos; on single ones the median error is 2.4 degrees and the largest of 960 was 12.
    Zhang et al. 2026 (doi:10.1038/s42003-025-09486-7) report the angles themselves:
    :meth:`direction`.

    Chance is not 90 degrees: the mean of all videos of a task whose directions do not cancel
    has a direction of its own. Measure it on a decoder that knows nothing.

    A direction is undefined (NaN), and :meth:`status` says why, where the flow is

    - ``"no motion"``: slower than ``min_speed_px`` on average. A flow of zero has no direction,
      whatever the arctangent of zero may be;
    - ``"incoherent"``: the length of the mean flow over the mean length, 1 if all pixels of all
      frames flow one way, is below ``min_coherence``. Noise independent from frame to frame
      stays below 0.36; moving dots are above 0.8, their averages above 0.7. Noise that is
      smooth in space and time on an otherwise empty frame does flow, and passes in a third of
      videos;
    - ``"aliased"``: the flow between frames ``gap`` apart is, per frame, less than ``min_ratio``
      of a coherent flow between neighbouring frames: the pattern moves too far in ``gap`` frames
      to be followed. For single videos the ratio is above 0.65 up to 1.1 pixels per frame,
      around 0.4 at 1.5 and 0.1 at 2, where angles are wrong by up to 17 and 144 degrees; 36 % of
      240 videos are called aliased at 1.3 pixels per frame, 99 % at 1.5 (the rest is right
      within 9 degrees) and all from 2 on. With ``gap=1`` coherence is the only guard;
    - ``"not finite"``: a pixel is NaN or infinite.

    Raises ValueError for a value out of range.

    Parameters
    ----------
    flow
        Options of the optical flow.
    gap
        Frames from one to the other of a pair, >= 1.
    aperture_radius
        Radius of the disc the flow is averaged in, as a share of the frame's width.
    segment
        Name of the segment that shows the motion.
    min_speed_px
        In pixels per frame.
    min_coherence, min_ratio
        In [0, 1].
    """

    name = "direction_error"
    unit = "degrees"
    higher_is_better = False

    def __init__(
        self,
        *,
        flow: FarnebackParameters | None = None,
        gap: int = 2,
        aperture_radius: float = RADIUS,
        segment: str = "stimulus",
        min_speed_px: float = 0.005,
        min_coherence: float = 0.4,
        min_ratio: float = 0.6,
    ) -> None:
        if gap < 1 or not 0 < aperture_radius <= 0.5 or min_speed_px <= 0:
            raise ValueError(
                "motion: gap must be at least 1, aperture_radius in (0, 0.5] and min_speed_px "
                f"positive, found {gap}, {aperture_radius} and {min_speed_px}"
            )
        if not (0 <= min_coherence <= 1 and 0 <= min_ratio <= 1):
            raise ValueError(
                "motion: min_coherence and min_ratio must be in [0, 1], "
                f"found {min_coherence} and {min_ratio}"
            )
        self.farneback = flow or FarnebackParameters()
        self.gap, self.aperture_radius, self.segment = gap, aperture_radius, segment
        self.min_speed_px, self.min_coherence = min_speed_px, min_coherence
        self.min_ratio = min_ratio
        self._shown = CandidateCache(self.direction)

    def not_applicable(self, shape: Sequence[int]) -> str | None:
        """Return why no motion can be seen in videos of ``shape`` (C, T, H, W), or None."""
        if shape[1] <= self.gap:
            return f"needs more than {self.gap} frames, found {shape[1]}"
        if min(shape[2:]) < _MIN_SIDE_PX:
            return f"needs frames of {_MIN_SIDE_PX} pixels or more, found {shape[2]} x {shape[3]}"
        return None

    def direction(self, video: Tensor) -> Tensor:
        """Direction of every video (B, C, T, H, W), float (B,).

        Degrees counter-clockwise from rightward in (-180, 180], NaN where :meth:`status` is not
        ``"ok"``. Raises ValueError if the video is too short or too small for a flow.
        """
        angles = [
            at_gap.angle_deg if self._judge(at_gap, at_one) == "ok" else float("nan")
            for at_gap, at_one in self._measure(video)
        ]
        return self._tensor(angles, video)

    def status(self, video: Tensor) -> list[str]:
        """Whether the direction of every video (B, C, T, H, W) is defined, and if not, why.

        ``"ok"``, ``"no motion"``, ``"incoherent"``, ``"aliased"`` or ``"not finite"``. Raises as
        :meth:`direction` does.
        """
        return [self._judge(at_gap, at_one) for at_gap, at_one in self._measure(video)]

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the error of every trial, (B,) in [0, 180].

        NaN where the decoded video, or the candidate of the condition shown, has no direction.
        """
        check_pair(predicted, shown)
        if self.not_applicable(predicted.shape[1:]):
            return torch.full((len(predicted),), float("nan"), device=predicted.device)
        true = self._shown(shown.candidates)[shown.condition.to(shown.candidates.device)]
        decoded = self.direction(predicted)
        error = np.abs(circular_difference_deg(decoded.cpu().numpy(), true.cpu().numpy()))
        return self._tensor(error, predicted)

    def _judge(self, at_gap: MeanFlow, at_one: MeanFlow) -> str:
        if not (np.isfinite(at_gap.vector).all() and np.isfinite(at_one.vector).all()):
            return "not finite"
        if max(at_gap.speed, at_one.speed) < self.min_speed_px:
            return "no motion"
        collapsed = at_gap.speed < self.min_ratio * at_one.speed
        if collapsed and at_one.coherence >= self.min_coherence:
            return "aliased"
        if at_gap.coherence < self.min_coherence:
            return "incoherent"
        return "no motion" if at_gap.speed < self.min_speed_px else "ok"

    def _measure(self, video: Tensor) -> list[tuple[MeanFlow, MeanFlow]]:
        """Mean flow of every video at the gap and between neighbouring frames."""
        reason = self.not_applicable(video.shape[1:])
        if reason:
            raise ValueError(f"motion: {reason}")
        inside = disc(*video.shape[-2:], radius=self.aperture_radius).numpy()
        grey = (255 * to_grey(video.detach())).cpu().numpy()
        # Videos are shared out, not the pixels of a frame: those are too few.
        with one_thread(), ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
            return list(pool.map(partial(self._measure_one, inside=inside), grey))

    def _measure_one(self, frames: np.ndarray, inside: np.ndarray) -> tuple[MeanFlow, MeanFlow]:
        if not np.isfinite(frames).all():
            nowhere = MeanFlow(vector=np.full(2, np.nan), coherence=float("nan"))
            return nowhere, nowhere
        means = {
            gap: MeanFlow.of(self.farneback.between(frames, gap=gap), inside=inside, gap=gap)
            for gap in {1, self.gap}
        }
        return means[self.gap], means[1]

    @staticmethod
    def _tensor(values: Sequence[float] | np.ndarray | list[np.ndarray], like: Tensor) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=like.device)
