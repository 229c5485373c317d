"""How a nearest upsampling and the convolution after it fold into one small convolution.

Along one axis, output position ``s * i + r`` (cell ``i``, phase ``r`` of scale ``s``) of a "same"
convolution with odd kernel ``k`` reads, with tap ``j``, the low-resolution cell ``i + o`` with
``o = floor((r + j - (k - 1) / 2) / s)``. The ``k`` taps of a phase therefore collapse onto a few
low-resolution offsets, and the phases become output channels of one convolution at the low
resolution. Zero padding carries over exactly: a tap that falls outside the upsampled axis falls
outside the low-resolution axis too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

import torch
from torch import Tensor

Layout = Literal["cheaper", "shared", "shifted"]

# Vector lanes a convolution fills at a time; fewer output channels than this leave lanes idle.
_LANES = 16
# One element of the weight's collapse (and of its gradient) costs about this many
# multiply-adds of the convolution, being bound by memory. One upsampled element likewise.
_COLLAPSE_COST = 20.0
_COPY_COST = 40.0


@dataclass(frozen=True)
class AxisPlan:
    """What happens along one axis."""

    length: int  # cells before upsampling
    scale: int
    collapsed: bool  # whether the taps are collapsed; otherwise the axis is upsampled first
    taps: int  # kernel length of the convolution that is run
    padding: int  # zeros on both ends of that convolution
    starts: tuple[int, ...]  # of every phase's cells in its output (collapsed axes)
    # assignment[r][j] is the collapsed tap that the original tap j is added to in phase r,
    # or -1 where tap j only ever reads padding.
    assignment: tuple[tuple[int, ...], ...]

    @property
    def phases(self) -> int:
        """Number of phases that become output channels (1 for an axis that is not collapsed)."""
        return len(self.starts)

    @property
    def conv_length(self) -> int:
        """Length of the convolution's output along this axis."""
        if not self.collapsed:
            return self.length * self.scale
        return self.length + 2 * self.padding - self.taps + 1

    def matrix(self, like: Tensor) -> Tensor:
        """Return the 0/1 matrix (phases, taps, kernel) that sums the original taps."""
        kernel = len(self.assignment[0])
        out = torch.zeros(self.phases, self.taps, kernel, dtype=like.dtype)
        for phase, row in enumerate(self.assignment):
            for tap, target in enumerate(row):
                if target >= 0:
                    out[phase, target, tap] = 1.0
        return out.to(like.device)


@lru_cache(maxsize=4096)
def plan_plain_axis(kernel: int, scale: int, length: int) -> AxisPlan:
    """Plan an axis of `length` cells that is upsampled first; `kernel` is odd.

    Taps that only read padding are dropped.
    """
    half = (kernel - 1) // 2
    reach = min(half, length * scale - 1)
    assignment = tuple(j - (half - reach) if abs(j - half) <= reach else -1 for j in range(kernel))
    return AxisPlan(length, scale, False, 2 * reach + 1, reach, (0,), (assignment,))


@lru_cache(maxsize=4096)
def plan_collapsed_axis(
    kernel: int, scale: int, length: int, layout: Layout = "cheaper"
) -> AxisPlan:
    """Plan an axis whose taps collapse onto low-resolution offsets.

    Layout "shared" puts the offsets of all phases on one grid, "shifted" starts each phase where
    its own begin (fewer taps, a slightly longer output), "cheaper" takes the one with less
    arithmetic.
    """
    half = (kernel - 1) // 2
    offsets = [[(r + j - half) // scale for j in range(kernel)] for r in range(scale)]
    inside = [[o for o in row if abs(o) < length] for row in offsets]
    reach = max(abs(o) for row in inside for o in row)
    shared, shifted = 2 * reach + 1, max(max(row) - min(row) + 1 for row in inside)
    starts_shifted = [min(min(row), reach - shifted + 1) for row in inside]
    if layout == "cheaper":
        less = shared * length <= shifted * (length + 2 * reach - shifted + 1)
        layout = "shared" if less else "shifted"
    if layout == "shared":
        taps, starts = shared, [-reach] * scale
    else:
        taps, starts = shifted, starts_shifted
    assignment = tuple(
        tuple(o - start if abs(o) < length else -1 for o in row)
        for row, start in zip(offsets, starts, strict=True)
    )
    begins = tuple(start + reach for start in starts)
    return AxisPlan(length, scale, True, taps, reach, begins, assignment)


def sum_taps(weight: Tensor, matrices: Sequence[Tensor], order: str) -> Tensor:
    """Sum the taps of (O, I, kt, kh, kw) by the matrices of :meth:`AxisPlan.matrix`.

    `order` names the axes that come out: o, i, phases q p r and taps f g j of time, height, width.
    """
    w = torch.einsum("oithw,rjw->oithrj", weight, matrices[2])
    w = torch.einsum("oithrj,pgh->oitpgrj", w, matrices[1])
    return torch.einsum(f"oitpgrj,qft->{order}", w, matrices[0])


def _cost(axes: tuple[AxisPlan, ...], batch: int, c_in: int, c_out: int) -> float:
    """Estimate multiply-adds of one forward pass, memory traffic priced in the same unit."""
    phases = cells = taps = expanded = 1
    for axis in axes:
        phases *= axis.phases
        cells *= axis.conv_length
        taps *= axis.taps
        expanded *= axis.length if axis.collapsed else axis.length * axis.scale
    lanes = -(-c_out * phases // _LANES) * _LANES
    arithmetic = batch * c_in * lanes * cells * taps
    collapse = _COLLAPSE_COST * c_in * c_out * phases * taps if phases > 1 else 0.0
    low = axes[0].length * axes[1].length * axes[2].length
    upsample = _COPY_COST * batch * c_in * expanded if expanded > low else 0.0
    shuffle = _COPY_COST * batch * c_out * phases * cells if phases > 1 else 0.0
    return arithmetic + collapse + upsample + shuffle


@lru_cache(maxsize=4096)
def plan_axes(
    kernel: tuple[int, int, int],
    scale: tuple[int, int, int],
    size: tuple[int, int, int],
    *,
    channels: tuple[int, int],
    batch: int,
    force: bool,
) -> tuple[AxisPlan, AxisPlan, AxisPlan]:
    """Choose, axis by axis, whether to collapse taps or to upsample first.

    The cheapest of the eight combinations by estimated arithmetic and memory traffic is taken;
    with `force` every axis that is upsampled is collapsed, even where that is more work. Sizes
    are those of (time, height, width) before upsampling, channels those in and out.
    """
    candidates = []
    for choice in [(True, True, True)] if force else product((False, True), repeat=3):
        axes = tuple(
            plan_collapsed_axis(k, s, n) if fold and s > 1 else plan_plain_axis(k, s, n)
            for k, s, n, fold in zip(kernel, scale, size, choice, strict=True)
        )
        candidates.append((_cost(axes, batch, *channels), axes))
    best = min(candidates, key=lambda candidate: candidate[0])[1]
    return best[0], best[1], best[2]
