"""A 3-D convolution on a CPU as a few 2-D ones, one per frequency of the time axis.

Along time a convolution is a product of Fourier spectra of length T + padding: what wraps around
then falls on zeros. A complex product takes three real ones, so the whole is

    y[t] = Σ_p B[t, p] conv2d(Σ_s F[p, s] x[s], Σ_j S[p, j] w[j])

with constant matrices F, S and B, and its gradients are the same sums transposed. With 45 bins and
7 taps there are 71 two-dimensional convolutions instead of 303.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.nn.fast.routes import is_eager
from mua_decode.nn.fast.same_conv import FEW_CHANNELS, convolution_gradients
from mua_decode.nn.stages import Size

_LANES = 16
# A transformed value costs about this many multiply-adds of a convolution, being bound by memory;
# a call of a two-dimensional convolution about this many.
_TRANSFORM_COST, _CALL_COST = 2.0, 3e6
_LEAST_GAIN = 1.25
# Spectra are made for so many trials at a time that one of them takes about this many bytes.
_SCRATCH = 2**25


class Products(NamedTuple):
    """Matrices of a convolution along time as products of spectra."""

    forward: Tensor  # (planes, T): bins to spectrum
    taps: Tensor  # (planes, kt): taps to spectrum
    backward: Tensor  # (T', planes): products to bins


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def plan_products(bins: int, taps: int, padding: int, dtype: torch.dtype) -> Products:
    """Plan a convolution of `bins` bins with `taps` taps, `padding` (below `taps`) zeros per end.

    Planes of a frequency are c·(a + b), (d − c)·a and (c + d)·b for the product of a + ib and
    c + id (Karatsuba); its real part is the first less the third, its imaginary part the first
    and the second.
    """
    length = bins + padding
    t = torch.arange(bins, dtype=torch.float64)
    j = torch.arange(taps, dtype=torch.float64) - padding
    out = torch.arange(bins + 2 * padding - taps + 1, dtype=torch.float64)
    rows: list[list[Tensor]] = [[], [], []]
    forward, weights, backward = rows
    for frequency in range(length // 2 + 1):
        turn = 2 * math.pi * frequency / length
        if frequency in (0, length / 2):
            forward.append(torch.cos(turn * t))
            weights.append(torch.cos(turn * j))
            backward.append(torch.cos(turn * out) / length)
            continue
        a, b = torch.cos(turn * t), -torch.sin(turn * t)
        c, d = torch.cos(turn * j), torch.sin(turn * j)
        real, imaginary = (2 * f(turn * out) / length for f in (torch.cos, torch.sin))
        forward += [a + b, a, b]
        weights += [c, d - c, c + d]
        backward += [real - imaginary, -imaginary, -real]
    bins_in, taps_in, bins_out = (torch.stack(m).to(dtype) for m in rows)
    return Products(bins_in, taps_in, bins_out.T.contiguous())


def spectral_pays(x: Tensor, weight: Tensor, padding: Size) -> bool:
    """Whether :func:`spectral_conv3d` serves these tensors, and does it in less time.

    It serves single and double precision on a CPU, outside of autocast, of compilation or
    export, and of the transforms of ``torch.func``.
    """
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return False
    if weight.dtype != x.dtype or torch.is_autocast_enabled("cpu") or not is_eager():
        return False
    o, i, kt, kh, kw = weight.shape
    batch, bins = int(x.shape[0]), int(x.shape[2])
    if kt < 3 or padding[0] >= kt or batch == 0:
        return False
    cells = (x.shape[3] + 2 * padding[1] - kh + 1) * (x.shape[4] + 2 * padding[2] - kw + 1)
    lanes = -(-o // _LANES) * _LANES
    out = bins + 2 * padding[0] - kt + 1
    inside = sum(0 <= t + j - padding[0] < bins for t in range(out) for j in range(kt))
    planes = _planes(bins + padding[0])
    product = i * lanes * kh * kw
    direct = inside * product * cells
    transforms = _TRANSFORM_COST * planes * (bins * i + out * o) * cells
    calls = _CALL_COST * planes / _group(batch, planes, cells * o, x.element_size())
    return bool(direct > _LEAST_GAIN * (planes * product * cells + transforms + calls))


def spectral_conv3d(x: Tensor, weight: Tensor, bias: Tensor | None, padding: Size) -> Tensor:
    """Return ``F.conv3d(x, weight, bias, padding=padding)`` up to rounding, channels-last.

    `x` is (B, C_in, T, H, W), quickest in channels-last layout; `padding`, the zeros at both ends
    of (time, height, width), is fewer than kt along time.
    """
    out: Tensor = _SpectralConvolution.apply(x, weight, bias, padding)
    return out


def _planes(length: int) -> int:
    return 1 + 3 * ((length - 1) // 2) + (length % 2 == 0)


def _group(batch: int, planes: int, values: int, size: int) -> int:
    """Trials whose spectra, `values` numbers of `size` bytes per plane, are made at a time."""
    most = max(1, _SCRATCH // (planes * values * size))
    return -(-batch // -(-batch // most))


def _transform(matrix: Tensor, x: Tensor, out: Tensor) -> None:
    """Write `matrix` (P, T) times `x` (b, T, H, W, C) to `out` (P, b, H, W, C)."""
    for n in range(len(x)):
        torch.mm(matrix, x[n].flatten(1), out=out[:, n].flatten(1))


def _transform_back(matrix: Tensor, x: Tensor, out: Tensor) -> None:
    """Write `matrix` (T, P) times `x` (P, b, H, W, C) to `out` (b, T, H, W, C)."""
    for n in range(len(out)):
        torch.mm(matrix, x[:, n].flatten(1), out=out[n].flatten(1))


def _frames(x: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, T, H, W, C), contiguous; no copy of a channels-last video."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def _kernels(weight: Tensor, taps: Tensor) -> Tensor:
    """(O, I, kt, kh, kw) -> (planes, O, I, kh, kw), each channels-last."""
    planes = torch.einsum("pj,oijhw->pohwi", taps, weight)
    return planes.contiguous().permute(0, 1, 4, 2, 3)


class _SpectralConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: Size) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias, ctx.padding = bias is not None, padding
        matrices = plan_products(int(x.shape[2]), int(weight.shape[2]), padding[0], x.dtype)
        video, kernels = _frames(x), _kernels(weight, matrices.taps)
        batch, _, height, width, channels = video.shape
        o, _, _, kh, kw = weight.shape
        planes, bins = matrices.taps.shape[0], matrices.backward.shape[0]
        height_out, width_out = height + 2 * padding[1] - kh + 1, width + 2 * padding[2] - kw + 1
        y = x.new_empty(batch, bins, height_out, width_out, o)
        step = _group(batch, planes, height_out * width_out * o, x.element_size())
        spectrum = x.new_empty(planes, step, height, width, channels)
        products = x.new_empty(planes, step, height_out, width_out, o)
        for start in range(0, batch, step):
            number = min(step, batch - start)
            given, made = spectrum[:, :number], products[:, :number]
            _transform(matrices.forward, video[start : start + number], given)
            for p in range(planes):
                image = given[p].permute(0, 3, 1, 2)
                plane = F.conv2d(image, kernels[p], padding=padding[1:])
                made[p].copy_(plane.permute(0, 2, 3, 1))
            _transform_back(matrices.backward, made, y[start : start + number])
        if bias is not None:
            y += bias
        return y.permute(0, 4, 1, 2, 3)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        if torch.is_grad_enabled():  # a graph of the gradient is asked for
            wanted = [needs_x, needs_weight, needs_bias and ctx.has_bias]
            return (*convolution_gradients(grad, x, weight, ctx.padding, wanted), None)
        frames = _frames(grad)
        grad_bias = frames.sum((0, 1, 2, 3)) if needs_bias and ctx.has_bias else None
        return *_gradients(frames, x, weight, ctx.padding, needs_x=needs_x), grad_bias, None


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, padding: Size, *, needs_x: bool
) -> tuple[Tensor | None, Tensor]:
    """Gradients to x and weight for `grad` (B, T', H', W', C_out)."""
    matrices = plan_products(int(x.shape[2]), int(weight.shape[2]), padding[0], x.dtype)
    video, kernels = _frames(x), _kernels(weight, matrices.taps)
    adjoint, inverse = matrices.backward.T.contiguous(), matrices.forward.T.contiguous()
    few = needs_x and video.shape[-1] < FEW_CHANNELS
    planes, batch = len(kernels), len(video)
    step = _group(batch, planes, grad[0, 0].numel(), x.element_size())
    spectrum = x.new_empty(planes, step, *video.shape[2:])
    above = x.new_empty(planes, step, *grad.shape[2:])
    below = torch.empty_like(spectrum) if needs_x else None
    grad_x = torch.empty_like(video) if needs_x else None
    grad_kernels = torch.zeros_like(kernels)
    for start in range(0, batch, step):
        number = min(step, batch - start)
        chosen = slice(start, start + number)
        _transform(matrices.forward, video[chosen], spectrum[:, :number])
        _transform(adjoint, grad[chosen], above[:, :number])
        for p in range(planes):
            images, given = (s[p, :number].permute(0, 3, 1, 2) for s in (above, spectrum))
            to_image, to_kernel, _ = convolution_gradients(
                images, given, kernels[p], padding[1:], [needs_x and not few, True, False]
            )
            assert to_kernel is not None
            grad_kernels[p] += to_kernel
            if below is None:
                continue
            if to_image is None:
                _few_channel_gradient(images, kernels[p], padding[1:], below[p, :number])
            else:
                below[p, :number].copy_(to_image.permute(0, 2, 3, 1))
        if below is not None and grad_x is not None:
            _transform_back(inverse, below[:, :number], grad_x[chosen])
    grad_weight = torch.einsum("pj,poihw->oijhw", matrices.taps, grad_kernels)
    return None if grad_x is None else grad_x.permute(0, 4, 1, 2, 3), grad_weight


def _few_channel_gradient(
    grad: Tensor, kernel: Tensor, padding: tuple[int, ...], out: Tensor
) -> None:
    """Write the gradient of a 2-D convolution to its few-channel input, (b, H, W, C_in), to `out`.

    A convolution along the width gives C_in·kh planes, which are added up with shifts along the
    height: the same sums as the native path, but C_in·kh output channels wide instead of C_in.
    """
    o, i, kh, kw = kernel.shape
    rows = kernel.permute(2, 1, 0, 3).flip(3).reshape(kh * i, o, 1, kw)
    planes = F.conv2d(grad, rows, padding=(0, kw - 1 - padding[1])).permute(0, 2, 3, 1)
    height, height_out = out.shape[1], planes.shape[1]
    out.zero_()
    for j in range(kh):
        # Row y of the input was read by tap j for row y + padding - j of the output.
        shift = padding[0] - j
        first, last = max(0, -shift), min(height, height_out - shift)
        if first < last:
            part = planes[:, first + shift : last + shift, :, j * i : (j + 1) * i]
            out[:, first:last] += part
