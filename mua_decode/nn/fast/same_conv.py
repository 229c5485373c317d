"""What the quick convolutions share: a "same" layer of odd kernels, and PyTorch's own gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mua_decode.nn.fast.routes import Route, check_route
from mua_decode.nn.stages import Size

# Below this many input channels the native gradient leaves most vector lanes idle on a CPU.
FEW_CHANNELS = 8


class SameConv3d(nn.Conv3d):
    """``nn.Conv3d(padding="same")`` with a choice of routes; parameters and results are the same.

    A kernel is one odd number or three, (time, height, width); ValueError on an even one or an
    unknown route.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Size,
        *,
        bias: bool = True,
        route: Route = "auto",
    ) -> None:
        kernel = as_triple(kernel_size, "kernel_size")
        if any(k % 2 == 0 for k in kernel):
            raise ValueError(f"kernel_size: expected odd numbers, found {kernel}")
        half = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(in_channels, out_channels, kernel, padding=half, bias=bias)
        self.margin = half
        self.route = check_route(route)

    def extra_repr(self) -> str:
        """Describe the layer in its printed form."""
        return f"{super().extra_repr()}, route={self.route}"

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x` (B, C_in, T, H, W)."""
        return self.convolve(x, self.bias)

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with another bias than the layer's own, or none."""
        raise NotImplementedError


def convolution_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, padding: Sequence[int], wanted: list[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """PyTorch's gradients of a convolution to those `wanted` of its input, weight and bias."""
    axes = weight.dim() - 2
    bias, ones, zeros = [weight.shape[0]], [1] * axes, [0] * axes
    found: tuple[Tensor | None, Tensor | None, Tensor | None]
    found = torch.ops.aten.convolution_backward(
        grad, x, weight, bias, ones, padding, ones, False, zeros, 1, wanted
    )
    return found


def as_triple(value: int | tuple[int, ...] | list[int], name: str) -> Size:
    """Return `value` as (time, height, width), one number for all; ValueError below 1."""
    values = (value,) * 3 if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != 3 or any(v < 1 for v in values):
        raise ValueError(f"{name}: expected three positive integers (T, H, W), found {value!r}")
    return values[0], values[1], values[2]
