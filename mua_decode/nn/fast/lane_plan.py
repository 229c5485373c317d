"""What the compiled kernel needs to know of one block, worked out from its shapes.

Along time a "same" convolution is a product of real Fourier spectra of length T + reach: wrapped
sums then fall on zeros. A complex product takes three real ones. Across space an upsampled axis
keeps its phases apart, each with the few low-resolution taps of its own (see
:mod:`mua_decode.nn.fast.upsample_plan`).
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from mua_decode.nn.fast.upsample_plan import AxisPlan, plan_collapsed_axis, sum_taps
from mua_decode.nn.stages import Size

_MOST_PHASES, _MOST_SHIFTS, _LARGEST_WINDOW = 8, 16, 512


class LayerStruct(ctypes.Structure):
    """The struct Layer of kernels/lanes.cpp."""

    _fields_ = [  # ctypes wants a plain list
        *((name, ctypes.c_int64) for name in ("batch", "threads")),
        *((name, ctypes.c_int64) for name in ("in_channels", "out_channels", "t", "h", "w")),
        *((name, ctypes.c_int64) for name in ("planes", "real_planes", "kh", "kw")),
        *((name, ctypes.c_int64) for name in ("phases_t", "phases_h", "phases_w")),
        ("row_offset", ctypes.c_int64 * _MOST_PHASES),
        ("column_offset", ctypes.c_int64 * _MOST_PHASES),
        *((name, ctypes.c_int64) for name in ("channels", "out_t", "out_h", "out_w")),
        *((name, ctypes.c_int64) for name in ("pool_t", "pool_h", "pool_w", "relu")),
    ]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Matrices of a convolution along time as a product of spectra, all float32."""

    planes: int
    real_planes: int  # they come first, then (real, imaginary) pairs
    forward: Tensor  # (planes, T): bins to spectrum
    backward: Tensor  # (T, planes): spectrum to bins
    taps: Tensor  # (planes, kt): taps to the weights' spectrum
    sets: Tensor  # (sets, kt): taps to the factors of the three products
    conjugate_sets: Tensor  # the same of the conjugate weights


@lru_cache(maxsize=256)
def plan_spectrum(bins: int, taps: int) -> Spectrum:
    """Plan the product of spectra for `bins` bins and a "same" kernel of `taps` taps (odd)."""
    if taps == 1:
        eye, ones = torch.eye(bins), torch.ones(bins, 1)
        return Spectrum(bins, bins, eye, eye, ones, ones, ones)
    reach = taps // 2
    n = bins + reach
    t = torch.arange(bins, dtype=torch.float64)
    j = torch.arange(-reach, reach + 1, dtype=torch.float64)
    real = [0, n // 2] if n % 2 == 0 else [0]
    pairs = range(1, (n + 1) // 2)
    columns: list[list[Tensor]] = [[] for _ in range(5)]
    forward, backward, weights, sets, conjugate = columns
    for f in real:
        turn = 2 * math.pi * f / n
        forward.append(torch.cos(turn * t))
        backward.append(torch.cos(turn * t) / n)
        for rows in (weights, sets, conjugate):
            rows.append(torch.cos(turn * j))
    for f in pairs:
        turn = 2 * math.pi * f / n
        forward += [torch.cos(turn * t), -torch.sin(turn * t)]
        backward += [2 * torch.cos(turn * t) / n, -2 * torch.sin(turn * t) / n]
        c, d = torch.cos(turn * j), torch.sin(turn * j)
        weights += [c, d]
        sets += [c, d - c, -(c + d)]
        conjugate += [c, -d - c, d - c]
    stacked = [torch.stack(m).float() for m in columns]
    return Spectrum(n, len(real), stacked[0], stacked[1].T.contiguous(), *stacked[2:])


@dataclass(frozen=True, eq=False)
class LanePlan:
    """One block: axes of the convolution, its spectrum, and the shapes in and out."""

    axes: tuple[AxisPlan, AxisPlan, AxisPlan]  # time, height, width
    size: Size  # (T, H, W) of the convolution's input
    out_size: Size  # (T, H, W) of the block's output
    window: Size  # for pooling, ones for a decoder block
    relu: bool  # whether one ends the block
    spectrum: Spectrum

    @property
    def shifts(self) -> int:
        """Spatial phases, each with its own taps."""
        return self.axes[1].phases * self.axes[2].phases

    @property
    def supported(self) -> bool:
        """Whether the kernel's fixed tables hold this block."""
        return (
            max(axis.phases for axis in self.axes[1:]) <= _MOST_PHASES
            and self.shifts <= _MOST_SHIFTS
            and math.prod(self.window) <= _LARGEST_WINDOW
        )

    @property
    def cells(self) -> int:
        """Values per channel and trial over which the normalisation takes its statistics."""
        return math.prod(self._normalised_size)

    @property
    def _normalised_size(self) -> Size:
        decoder = self.axes[0].phases * self.shifts > 1
        return self.out_size if decoder else self.size

    def plane_counts(self) -> Tensor:
        """Cells of each output plane of a channel that lie inside what is normalised, (planes,)."""
        inside = [
            torch.tensor(
                [max(0, min(axis.length, -(-(n - p) // axis.phases))) for p in range(axis.phases)]
            )
            for axis, n in zip(self.axes, self._normalised_size, strict=True)
        ]
        return torch.einsum("h,w,t->hwt", inside[1], inside[2], inside[0]).flatten()

    def collapse(self, weight: Tensor) -> Tensor:
        """(O, I, kt, kh, kw) -> (shifts, O·phases_t, I, taps_t, taps_h, taps_w)."""
        o, i = weight.shape[:2]
        taps = [axis.taps for axis in self.axes]
        if all(axis.phases == 1 for axis in self.axes):
            for dim, n in enumerate(taps):
                weight = weight.narrow(2 + dim, (weight.shape[2 + dim] - n) // 2, n)
            return weight.unsqueeze(0)
        w = sum_taps(weight, [axis.matrix(weight) for axis in self.axes], "proqifgj")
        return w.reshape(self.shifts, o * self.axes[0].phases, i, *taps)

    def multiply_adds(self, in_channels: int, channels: int) -> int:
        """Multiply-adds of one trial's forward pass on the compiled kernel, transforms included."""
        s, (t, h, w) = self.spectrum, self.size
        pairs = (s.planes - s.real_planes) // 2
        outputs = self.shifts * channels * self.axes[0].phases
        products = (s.real_planes + 3 * pairs) * outputs * in_channels
        transforms = s.planes * t * (in_channels + outputs)
        return (products * self.axes[1].taps * self.axes[2].taps + transforms) * h * w

    def layer(self, batch: int, in_channels: int, channels: int) -> LayerStruct:
        """Fill the kernel's struct."""
        t, h, w = self.axes
        out = LayerStruct(
            batch=batch,
            threads=torch.get_num_threads(),
            in_channels=in_channels,
            out_channels=channels * t.phases,
            planes=self.spectrum.planes,
            real_planes=self.spectrum.real_planes,
            kh=h.taps,
            kw=w.taps,
            channels=channels,
            relu=int(self.relu),
        )
        out.t, out.h, out.w = self.size
        out.phases_t, out.phases_h, out.phases_w = t.phases, h.phases, w.phases
        out.out_t, out.out_h, out.out_w = self.out_size
        out.pool_t, out.pool_h, out.pool_w = self.window
        for offsets, axis in ((out.row_offset, h), (out.column_offset, w)):
            for phase, start in enumerate(axis.starts):
                offsets[phase] = start - axis.padding
        return out


@lru_cache(maxsize=1024)
def plan_block(
    kernel: Size, scale: Size, size: Size, *, out_size: Size, window: Size, relu: bool
) -> LanePlan:
    """Plan a block of the video network; all sizes along (time, height, width), `kernel` odd."""
    time = plan_collapsed_axis(kernel[0], scale[0], size[0], "shared")
    height = plan_collapsed_axis(kernel[1], scale[1], size[1], "shifted")
    width = plan_collapsed_axis(kernel[2], scale[2], size[2], "shifted")
    spectrum = plan_spectrum(size[0], time.taps)
    return LanePlan((time, height, width), size, out_size, window, relu, spectrum)
