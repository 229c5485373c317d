"""The blocks of the video network on the compiled kernel, the batch in the vector lanes.

A *lane tensor* is (groups, C, T, H, W, lanes): trial b lies in group b // lanes, lane b % lanes,
and the lanes past the last trial hold zeros.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.weak import WeakTensorKeyDictionary

from mua_decode.nn.fast.kernels import load_lanes, run_kernel
from mua_decode.nn.fast.lane_plan import LanePlan, LayerStruct


class Lanes(NamedTuple):
    """What fills the vector lanes of a tensor.

    "none": the tensor is a plain one and PyTorch computes. "trials": a lane tensor. "positions":
    a plain tensor whose neighbouring pixels fill the lanes, for few trials and no gradient.
    """

    kind: Literal["none", "trials", "positions"] = "none"
    batch: int = 0  # trials


PLAIN = Lanes()


def to_lanes(video: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (groups, C, T, H, W, lanes), contiguous, padded with zeros."""
    library = load_lanes()
    assert library is not None
    lanes = int(library.lanes_width())
    missing = -len(video) % lanes
    if missing:
        video = torch.cat((video, video.new_zeros(missing, *video.shape[1:])))
    # Two copies, the second a plain transposition, are much quicker than one odd permutation.
    flat = video.contiguous().view(-1, lanes, video[0].numel())
    return flat.transpose(1, 2).contiguous().unflatten(1, tuple(video.shape[1:]))


def from_lanes(x: Tensor, batch: int) -> Tensor:
    """(groups, C, T, H, W, lanes) -> (B, C, T, H, W)."""
    return x.permute(0, 5, 1, 2, 3, 4).flatten(0, 1)[:batch]


def lane_block(x: Tensor, conv: nn.Conv3d, norm: nn.Module, plan: LanePlan, lanes: Lanes) -> Tensor:
    """Convolution, batch normalisation, and the pooling or shuffle of `plan`, in training or not.

    `x` is a lane tensor (groups, C_in, T, H, W, lanes), or (B, C_in, T, H, W) where `lanes` says
    that positions fill the lanes; float32. What comes out is laid out alike. `norm` is a
    ``BatchNorm3d``, whose statistics are updated in training, or an identity where it is folded
    into `conv`. In training a bias ahead of a batch normalisation is subtracted again: it enters
    the running mean alone, and its gradient is exactly zero.
    """
    if isinstance(norm, nn.BatchNorm3d) and norm.training:
        weight, batch = plan.collapse(conv.weight), lanes.batch
        given = (x.contiguous(), weight, conv.bias, norm.weight, norm.bias, plan, batch, norm.eps)
        out: Tensor
        out, mean, variance, number = _LaneBlock.apply(*given)
        with torch.no_grad():
            mean = mean if conv.bias is None else mean + conv.bias
            update_statistics(norm, mean, variance * (number / max(1, number - 1)))
        return out
    with torch.no_grad():
        scale, shift = affine_map(conv, norm)
        layer = plan.layer(lanes.batch, int(conv.in_channels), int(conv.out_channels))
        if lanes.kind == "trials":
            y, _ = _convolve(x.contiguous(), plan.collapse(conv.weight), plan, layer)
            return _finish(y, scale, shift, layer)
        out = x.new_empty(lanes.batch, conv.out_channels, *plan.out_size)
        tensors = (x.contiguous(), _packed(conv.weight, plan, layer), plan.spectrum.forward)
        run_kernel("lanes_flat", layer, *tensors, plan.spectrum.backward, scale, shift, out)
        return out


def affine_map(conv: nn.Conv3d, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """What bias and normalisation do to the bare convolution in evaluation: scale and shift."""
    bias = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
    if not isinstance(norm, nn.BatchNorm3d):
        return torch.ones_like(bias), bias.contiguous()
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias + (bias - norm.running_mean) * scale


# Packed weights of evaluated layers, kept until the weight changes.
_packs: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def _packed(weight: Tensor, plan: LanePlan, layer: LayerStruct) -> Tensor:
    """Return the weights as ``lanes_flat`` reads them."""
    version = (-1 if weight.is_inference() else weight._version, weight.data_ptr(), id(plan))
    known = _packs.get(weight)
    if known is not None and known[0] == version and version[0] >= 0:
        found: Tensor = known[1]
        return found
    factors = _factors(plan.collapse(weight), plan)
    packed = torch.empty_like(factors)
    run_kernel("lanes_pack", layer, factors, packed)
    _packs[weight] = (version, packed)
    return packed


def _factors(weight: Tensor, plan: LanePlan) -> Tensor:
    """Collapsed weight -> factors of the products per frequency, (sets, shifts, O', I, kh, kw)."""
    return torch.einsum("sj,poijhw->spoihw", plan.spectrum.sets, weight.detach()).contiguous()


@torch.no_grad()
def update_statistics(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Count a batch of this mean and unbiased variance, (C,), in the running statistics."""
    if norm.running_mean is None or norm.running_var is None:
        return
    momentum = norm.momentum
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if momentum is None:
            momentum = 1.0 / float(norm.num_batches_tracked)
    momentum = 0.0 if momentum is None else momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), momentum)


class _LaneBlock(torch.autograd.Function):
    """Convolution, batch statistics, normalisation, ReLU and pooling or shuffle."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gamma: Tensor,
        beta: Tensor,
        plan: LanePlan,
        batch: int,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor, int]:
        channels = int(gamma.shape[0])
        layer = plan.layer(batch, int(x.shape[1]), channels)
        y, sums = _convolve(x, weight, plan, layer)
        number = batch * plan.cells
        mean, variance = _statistics(sums, plan, batch, channels)
        scale = (gamma.double() * torch.rsqrt(variance + eps)).float()
        shift = (beta.double() - mean * scale.double()).float()
        z = _finish(y, scale, shift, layer)
        ctx.save_for_backward(x, weight, gamma, y, mean, variance, scale, shift)
        ctx.plan, ctx.batch, ctx.eps, ctx.number = plan, batch, eps, number
        ctx.has_bias = bias is not None
        out_mean, out_variance = mean.float(), variance.float()
        ctx.mark_non_differentiable(out_mean, out_variance)
        return z, out_mean, out_variance, number

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gz: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, gamma, y, mean, variance, scale, shift = ctx.saved_tensors
        plan: LanePlan = ctx.plan
        layer = plan.layer(ctx.batch, int(x.shape[1]), int(gamma.shape[0]))
        gz = gz.contiguous()
        sums = torch.empty(len(gamma), 2, dtype=torch.float64)
        centre = mean.float()
        run_kernel("lanes_gradient_sums", layer, y, gz, scale, shift, centre, sums)
        total, weighted = sums.unbind(1)
        inverse_std = torch.rsqrt(variance + ctx.eps)
        a = gamma.double() * inverse_std
        c = -a * inverse_std.square() * weighted / ctx.number
        b = -a * total / ctx.number - c * centre.double()
        coefficients = torch.stack((scale.double(), shift.double(), a, b, c)).float().contiguous()
        gx, gw = _convolve_backward(
            x, weight, y, gz, coefficients, plan, layer, needs_x=ctx.needs_input_grad[0]
        )
        g_bias = torch.zeros_like(gamma) if ctx.has_bias else None
        g_gamma = (weighted * inverse_std).float()
        return gx, gw, g_bias, g_gamma, total.float(), None, None, None


def _statistics(sums: Tensor, plan: LanePlan, batch: int, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance per channel, float64, from the sums of every output plane."""
    phases = plan.axes[0].phases
    grouped = sums.view(plan.shifts, channels, phases, 3).transpose(0, 1).reshape(channels, -1, 3)
    total, squares, origin = grouped.unbind(2)
    counts = plan.plane_counts().double() * batch
    mean = (total + counts * origin).sum(1) / counts.sum()
    away = mean.unsqueeze(1) - origin
    spread = (squares - 2 * away * total + counts * away.square()).sum(1)
    return mean, (spread / counts.sum()).clamp_min(0)


def _convolve(
    x: Tensor, weight: Tensor, plan: LanePlan, layer: LayerStruct
) -> tuple[Tensor, Tensor]:
    """Return y (groups, outputs, T, H, W, lanes) and its sums (outputs, 3)."""
    spectrum = plan.spectrum
    factors = _factors(weight, plan)
    outputs = int(weight.shape[0] * weight.shape[1])
    y = x.new_empty(x.shape[0], outputs, *x.shape[2:])
    sums = torch.empty(outputs, 3, dtype=torch.float64)
    run_kernel("lanes_forward", layer, x, factors, spectrum.forward, spectrum.backward, y, sums)
    return y, sums


def _finish(y: Tensor, scale: Tensor, shift: Tensor, layer: LayerStruct) -> Tensor:
    shape = (int(layer.channels), int(layer.out_t), int(layer.out_h), int(layer.out_w))
    z = y.new_empty(y.shape[0], *shape, y.shape[-1])
    scale, shift = scale.contiguous(), shift.contiguous()
    run_kernel("lanes_finish", layer, y, scale, shift, z)
    return z


def _convolve_backward(
    x: Tensor,
    weight: Tensor,
    y: Tensor,
    gz: Tensor,
    coefficients: Tensor,
    plan: LanePlan,
    layer: LayerStruct,
    *,
    needs_x: bool,
) -> tuple[Tensor | None, Tensor]:
    """Return the gradients to x and to the collapsed weight."""
    spectrum = plan.spectrum
    shifts, outputs, channels, _, kh, kw = weight.shape
    flipped = weight.flip(4, 5)
    factors = torch.einsum("sj,poijhw->sipohw", spectrum.conjugate_sets, flipped).contiguous()
    gx = torch.empty_like(x) if needs_x else None
    gw = x.new_zeros(spectrum.planes, shifts, outputs, channels, kh, kw)
    adjoint, inverse = spectrum.backward.T.contiguous(), spectrum.forward.T.contiguous()
    transforms = (spectrum.forward, adjoint, inverse)
    run_kernel("lanes_backward", layer, x, y, gz, coefficients, factors, *transforms, gx, gw)
    return gx, torch.einsum("fj,fpoihw->poijhw", spectrum.taps, gw)
