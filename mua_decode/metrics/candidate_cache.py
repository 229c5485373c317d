"""What a metric makes of the condition videos, made once for all batches of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Tensor

Made = TypeVar("Made")
_KEPT = 8  # slices kept: a handful of segments


class CandidateCache(Generic[Made]):
    """Remembers what ``make`` made of the last few tensors of candidates (K, C, T, H, W)."""

    def __init__(self, make: Callable[[Tensor], Made]) -> None:
        self._make = make
        # The tensor itself is kept beside what was made of it, so that its address stays its own.
        self._made: OrderedDict[tuple[object, ...], tuple[Tensor, Made]] = OrderedDict()

    def __call__(self, candidates: Tensor) -> Made:
        """Return what ``make`` returns for ``candidates``; a change in place is noticed."""
        if candidates.is_inference():  # counts no versions: a change in place would go unseen
            return self._make(candidates)
        layout = (candidates.device, candidates.dtype, tuple(candidates.shape), candidates.stride())
        key = (*layout, candidates.data_ptr(), candidates._version)
        if key not in self._made:
            self._made[key] = (candidates, self._make(candidates))
        self._made.move_to_end(key)
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return self._made[key][1]
