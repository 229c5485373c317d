"""What a floor is: a decoder without a network, which any network has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Batches = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Starts one pass over pseudo-trials: (spikes (B, T, N) float, condition (B,) integer)."""


class Floor(Protocol):
    """A decoder fitted in closed form, in one or two passes, on the video of each condition."""

    @property
    def name(self) -> str:
        """Name in result tables and configs."""

    def fit(self, train: Batches, val: Batches, videos: Tensor) -> None:
        """Fit on streamed pseudo-trials; only sums are kept, never the trials.

        `videos` is (K, C, T, H, W) in [0, 1], the mean training video of every condition; rows of
        conditions without training trials are not used for fitting. Raises ValueError if there is
        no training trial, or a shape or condition does not fit.
        """

    def predict(self, spikes: Tensor) -> Tensor:
        """Decode spikes (B, T, N) into videos (B, C, T, H, W) in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Repeats:
    """Recorded training trials behind the pseudo-trials.

    Parameters
    ----------
    mean
        (K, T, N): mean standardised activity of every condition; NaN where there is no trial.
    number
        (K, N): trials averaged; a place that is another site in every pseudo-trial has 0.
    """

    mean: Tensor
    number: Tensor


@runtime_checkable
class Starts(Protocol):
    """A network that begins at what a floor knows, instead of at random weights."""

    def start(
        self, train: Batches, val: Batches, videos: Tensor, repeats: Repeats | None = None
    ) -> None:
        """Begin as a decoder fitted in closed form; arguments and errors as in ``Floor.fit``.

        With `repeats`, training batches come with their conditions as a second argument, so that
        the network can leave a trial's own activity out of what it starts from.
        """


def stream(batches: Batches, videos: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Run one pass on the device of ``videos``: spikes (B, T, N) as they come, condition (B,) long.

    Raises ValueError if ``videos`` or a batch has the wrong shape, or a condition has no video.
    """
    if videos.ndim != 5:
        raise ValueError(f"floor: videos must be (K, C, T, H, W), found {tuple(videos.shape)}")
    expected: tuple[int, ...] | None = None
    for spikes, condition in batches():
        expected = expected or tuple(spikes.shape[1:])
        if spikes.ndim != 3 or tuple(spikes.shape[1:]) != expected:
            raise ValueError(f"floor: spikes must be (B, T, N), found {tuple(spikes.shape)}")
        if condition.shape != spikes.shape[:1]:
            raise ValueError(
                f"floor: condition must be ({len(spikes)},), found {tuple(condition.shape)}"
            )
        if len(condition) == 0:
            continue
        if int(condition.min()) < 0 or int(condition.max()) >= len(videos):
            raise ValueError(
                f"floor: conditions {int(condition.min())}..{int(condition.max())} found, "
                f"videos 0..{len(videos) - 1}"
            )
        yield spikes.to(videos.device), condition.to(videos.device, torch.long)


def require_fitted(part: Tensor | None, name: str) -> Tensor:
    """Return ``part``, or raise RuntimeError if the floor was not fitted."""
    if part is None:
        raise RuntimeError(f"floor '{name}': call fit before predict")
    return part
