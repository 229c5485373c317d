"""What every metric is given and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Shown:
    """What was shown in a batch of trials.

    Raises ValueError if shapes disagree or a condition has no candidate.

    Parameters
    ----------
    video
        Float tensor (B, C, T, H, W) in [0, 1]: the video paired with each trial.
    condition
        Long tensor (B,): the condition of each trial, an index into ``candidates``.
    candidates
        Float tensor (K, C, T, H, W) in [0, 1]: the video of every condition.
    """

    video: Tensor
    condition: Tensor
    candidates: Tensor

    def __post_init__(self) -> None:
        if self.video.ndim != 5 or self.video.numel() == 0:
            raise ValueError(
                f"shown: video must be a filled (B, C, T, H, W), found {tuple(self.video.shape)}"
            )
        if self.candidates.ndim != 5 or self.candidates.shape[1:] != self.video.shape[1:]:
            raise ValueError(
                f"shown: candidates must be (K, {', '.join(map(str, self.video.shape[1:]))}), "
                f"found {tuple(self.candidates.shape)}"
            )
        if self.condition.shape != self.video.shape[:1]:
            raise ValueError(
                f"shown: condition must be ({len(self.video)},), one per video, "
                f"found {tuple(self.condition.shape)}"
            )
        low, high = int(self.condition.min()), int(self.condition.max())
        if low < 0 or high >= len(self.candidates):
            raise ValueError(
                f"shown: conditions {low}..{high} found, candidates 0..{len(self.candidates) - 1}"
            )

    def frames(self, start: int, stop: int) -> Shown:
        """Return the slice ``start <= frame < stop`` in time (views, nothing is copied).

        Raises ValueError if the slice is empty or leaves the video.
        """
        n_frames = self.video.shape[2]
        if not 0 <= start < stop <= n_frames:
            raise ValueError(f"shown: frames {start}..{stop} are not within 0..{n_frames}")
        video, candidates = (x[:, :, start:stop] for x in (self.video, self.candidates))
        return Shown(video=video, condition=self.condition, candidates=candidates)


class VideoMetric(Protocol):
    """One number per trial that says how near a decoded video is to what was shown."""

    @property
    def name(self) -> str:
        """Name in result tables and configs."""

    @property
    def unit(self) -> str:
        """Unit in result tables; ``"1"`` for a pure number."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value means a better reconstruction."""

    @property
    def segment(self) -> str | None:
        """Name of the only segment it scores; None: any, and the whole video."""

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Score every trial of float (B, C, T, H, W) in [0, 1]: (B,), NaN where undefined.

        ``shown`` is of the same trials and frames.
        """


@runtime_checkable
class Selective(Protocol):
    """What a metric offers that makes sense of some videos only, colour of RGB ones say."""

    def not_applicable(self, shape: Sequence[int]) -> str | None:
        """Return why slices of ``shape`` (C, T, H, W) cannot be scored, or None if they can."""


def check_pair(predicted: Tensor, shown: Shown) -> None:
    """Raise ValueError unless ``predicted`` is a float tensor of the shape of ``shown.video``."""
    if predicted.shape != shown.video.shape:
        raise ValueError(
            f"metric: predicted must be {tuple(shown.video.shape)} like the video shown, "
            f"found {tuple(predicted.shape)}"
        )
    if not predicted.is_floating_point():
        raise ValueError(f"metric: predicted must be floating point, found {predicted.dtype}")
