"""A first convolution whose gradient to a few-channel input is quick."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn.fast.routes import Route, as_triple, check_route, is_eager
from mua_decode.nn.fast.spectral_conv import spectral_conv3d, spectral_pays

# Below this many input channels the native gradient leaves most vector lanes idle on a CPU.
_FEW_CHANNELS = 8


class _StemConvolution(torch.autograd.Function):
    """A "same" convolution; its input gradient runs over two axes and adds up the third."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None  # type: ignore[attr-defined]
        return F.conv3d(x, weight, bias, padding=[k // 2 for k in weight.shape[2:]])

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad  # type: ignore[attr-defined]
        grad_weight = grad_bias = None
        if needs_weight or needs_bias:
            has_bias: bool = ctx.has_bias  # type: ignore[attr-defined]
            _, grad_weight, grad_bias = torch.ops.aten.convolution_backward(
                grad,
                x,
                weight,
                [weight.shape[0]] if has_bias else None,
                [1, 1, 1],
                [k // 2 for k in weight.shape[2:]],
                [1, 1, 1],
                False,
                [0, 0, 0],
                1,
                [False, needs_weight, needs_bias and has_bias],
            )
        grad_x = stem_input_gradient(grad, weight) if needs_x else None
        return grad_x, grad_weight, grad_bias


def stem_input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """Gradient of a "same" convolution to its input, for few input channels.

    A convolution over height and width gives C_in·kt planes, which are added up with shifts along
    time: the same sums as the native path, but C_in·kt output channels wide instead of C_in.

    Parameters
    ----------
    grad : Tensor
        (B, C_out, T, H, W), gradient to the convolution's output.
    weight : Tensor
        (C_out, C_in, kt, kh, kw), odd kernel.

    Returns
    -------
    Tensor
        (B, C_in, T, H, W).
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
            plane = planes.narrow(1, j * c_in, c_in)
            size = bins - abs(shift)
            plane = plane.narrow(2, max(0, -shift), size)
            before, after = max(0, shift), max(0, -shift)
            out = out + F.pad(plane, (0, 0, 0, 0, before, after))
    return out


class StemConv3d(nn.Conv3d):
    """A "same" 3-D convolution for an input of few channels, such as RGB video.

    Same parameters and results as ``nn.Conv3d(..., padding="same")``; only the way there is
    another one, above all for the gradient to the input.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    kernel_size : int or (int, int, int)
        Odd kernel along (time, height, width).
    route : {"auto", "plain", "fused"}
        "plain" is PyTorch's own layer, "fused" a product of spectra along time
        (``spectral_conv``) where that is less work and else the gradient above,
        "auto" the latter two on a CPU with fewer than eight input channels.

    Raises
    ------
    ValueError
        On an even kernel or an unknown route.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int, int],
        *,
        route: Route = "auto",
    ) -> None:
        kernel = as_triple(kernel_size, "kernel_size")
        if any(k % 2 == 0 for k in kernel):
            raise ValueError(f"kernel_size: expected odd numbers, found {kernel}")
        half = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(in_channels, out_channels, kernel, padding=half)
        self.margin = half
        self.route = check_route(route)

    def extra_repr(self) -> str:
        """Describe the layer in its printed form."""
        return f"{super().extra_repr()}, route={self.route}"

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (B, C_in, T, H, W) to (B, C_out, T, H, W)."""
        return self.convolve(x, self.bias)

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with another bias than the layer's own, or none."""
        fused = self.route == "fused" or (
            self.route == "auto" and x.device.type == "cpu" and self.in_channels < _FEW_CHANNELS
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
