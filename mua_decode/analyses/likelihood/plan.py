"""Options of decoding through the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mua_decode.data import Window
from mua_decode.types import InputError


@dataclass(frozen=True, kw_only=True)
class LeaveOutPlan:
    """Which conditions leave every fit together."""

    # Column of the conditions' table whose values leave as a whole, or several, joined by "+" to
    # combinations; auto: movie, or colour+direction_deg, where the table has them, else each
    # condition on its own.
    by: str
    share: float  # of the groups that leave at a time
    folds: int | None  # that are computed; None: all, so that every condition leaves once
    partitions: int  # ways in which the groups are dealt to folds

    def __post_init__(self) -> None:
        if not 0 < self.share <= 0.5:
            raise InputError(f"leave_out.share must lie above 0, at most 0.5; found {self.share}")
        if self.partitions < 1 or (self.folds is not None and self.folds < 1):
            raise InputError("leave_out: folds and partitions must be at least 1")


@dataclass(frozen=True, kw_only=True)
class MapPlan:
    """The most probable video of a response."""

    videos: int  # how many are made, from the first folds; 0: none
    steps: int  # of gradient ascent
    rate: float  # its learning rate, in standard deviations of the prior
    components: int  # of the prior; fewer if there are fewer frames
    images: str | None  # folder of images for the prior beside the training frames

    def __post_init__(self) -> None:
        if min(self.videos, self.steps) < 0 or self.rate <= 0 or self.components < 1:
            raise InputError(
                "map: videos and steps must be >= 0, rate > 0 and components >= 1, found "
                f"{self.videos}, {self.steps}, {self.rate:g} and {self.components}"
            )


@dataclass(frozen=True, kw_only=True)
class LikelihoodPlan:
    """Everything a run is asked."""

    seed: int  # of folds and pseudo-trials
    window: Mapping[str, float] | None  # width_s and step_s; None: counts as recorded
    root: bool  # square roots of the counts
    trials: int  # pseudo-trials per held-out condition
    inner_folds: int  # of the training groups: penalties, residuals
    pixel_size: int  # a side, of the frames that ridge and lookup return
    candidates: tuple[int, ...]  # numbers of candidates of the curve; all is always asked
    leave_out: LeaveOutPlan
    map: MapPlan

    def __post_init__(self) -> None:
        if self.trials < 1 or self.inner_folds < 2 or self.pixel_size < 2:
            raise InputError(
                "likelihood: trials must be >= 1, inner_folds and pixel_size >= 2, found "
                f"{self.trials}, {self.inner_folds} and {self.pixel_size}"
            )
        if min(self.candidates, default=2) < 2:
            raise InputError(f"candidates must be at least 2, found {list(self.candidates)}")
        if self.window is not None and set(self.window) != {"width_s", "step_s"}:
            raise InputError(
                f"window must be {{width_s: ..., step_s: ...}}, found {dict(self.window)}"
            )

    @property
    def counting(self) -> Window | None:
        """The counting window."""
        return None if self.window is None else Window(**self.window)
