"""A first convolution whose gradient to a few-channel input is quick."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.nn.fast.routes import is_eager
from mua_decode.nn.fast.same_conv import FEW_CHANNELS, SameConv3d, convolution_gradients
from mua_decode.nn.fast.spectral_conv import spectral_conv3d, spectral_pays


class StemConv3d(SameConv3d):
    """A "same" 3-D convolution for an input of few channels, such as RGB video.

    Only the way to the numbers of ``nn.Conv3d`` is another one, above all for the gradient to the
    input. Route "plain" is PyTorch's own layer, "fused" a product of spectra along time
    (``spectral_conv``) where that is less work and else the gradient below, "auto" the latter two
    on a CPU with fewer than eight input channels.
    """

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve `x` (B, C_in, T, H, W) to (B, C_out, T, H, W)."""
        fused = self.route == "fused" or (
            self.route == "auto" and x.device.type == "cpu" and self.in_channels < FEW_CHANNELS
        )
        if fused and spectral_pays(x, self.weight, self.margin):
            return spectral_conv3d(x, self.weight, bias, self.margin)
        if not (fused and is_eager() and torch.is_grad_enabled() and x.requires_grad):
            return F.conv3d(x, self.weight, bias, padding=self.padding)
        device = x.device.type
        if not torch.is_autocast_enabled(device):
            return _StemConvolution.apply(x, self.weight, bias)
        dtype = torch.get_autocast_dtype(device)
        bias = None if bias is None else bias.to(dtype)
        with torch.autocast(device, enabled=False):
            return _StemConvolution.apply(x.to(dtype), self.weight.to(dtype), bias)


class _StemConvolution(torch.autograd.Function):
    """A "same" convolution; its input gradient runs over two axes and adds up the third."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return F.conv3d(x, weight, bias, padding=[k // 2 for k in weight.shape[2:]])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        grad_weight = grad_bias = None
        if needs_weight or needs_bias:
            half = [k // 2 for k in weight.shape[2:]]
            wanted = [False, needs_weight, needs_bias and ctx.has_bias]
            _, grad_weight, grad_bias = convolution_gradients(grad, x, weight, half, wanted)
        grad_x = _input_gradient(grad, weight) if needs_x else None
        return grad_x, grad_weight, grad_bias


def _input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """Gradient (B, C_in, T, H, W) of a "same" convolution to its input, for few input channels.

    A convolution of `grad` (B, C_out, T, H, W) over height and width with `weight` (C_out, C_in,
    kt, kh, kw) gives C_in·kt planes, which are added up with shifts along time: the same sums as
    the native path, but C_in·kt output channels wide instead of C_in.
    """
    c_out, c_in, kt, kh, kw = weight.shape
    bins = grad.shape[2]
    half = kt // 2
    reach = min(half, bins - 1)
    taps = 2 * reach + 1
    kernel = weight[:, :, half - reach : half + reach + 1].flip(3, 4)
    kernel = kernel.permute(2, 1, 0, 3, 4).reshape(taps * c_in, c_out, 1, kh, kw)
    planes = F.conv3d(grad, kernel, padding=(0, kh // 2, kw // 2))
    out = planes.narrow(1, reach * c_in, c_in)
    # Tap j of the forward pass read input bin t + j - reach for output bin t.
    for j in range(taps):
        shift = j - reach
        if shift != 0:
            before, after = max(0, shift), max(0, -shift)
            plane = planes.narrow(1, j * c_in, c_in).narrow(2, after, bins - abs(shift))
            out = out + F.pad(plane, (0, 0, 0, 0, before, after))
    return out
