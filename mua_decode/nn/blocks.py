"""The two blocks that the video network is built from."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn.fast.lane_blocks import PLAIN, Lanes, lane_block
from mua_decode.nn.fast.lane_plan import LanePlan, plan_block
from mua_decode.nn.fast.norm_pool import norm_pool, norm_pool_serves
from mua_decode.nn.fast.routes import Route
from mua_decode.nn.fast.same_conv import SameConv3d, as_triple
from mua_decode.nn.fast.stem_conv import StemConv3d
from mua_decode.nn.fast.upsample_conv import UpsampleConv3d
from mua_decode.nn.stages import Size


class EncoderBlock(nn.Module):
    """Conv3d ("same", odd kernel) → BatchNorm → ReLU → MaxPool.

    Input (B, C_in, T, H, W) of `size` (T, H, W), output (B, C_out, ⌈T/pt⌉, ⌈H/ph⌉, ⌈W/pw⌉): a
    pooling window that hangs over the end of an axis pools what is there. The pooling runs before
    the ReLU: the two commute exactly, and the ReLU then has fewer values to pass over. `stem` says
    that this is the first block, whose input has few channels; for `route` see
    :class:`mua_decode.nn.UpsampleConv3d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        size: Size,
        window: Size,
        stem: bool = False,
        route: Route = "auto",
    ) -> None:
        super().__init__()
        layer = StemConv3d if stem else UpsampleConv3d
        self.conv: SameConv3d = layer(in_channels, out_channels, kernel_size, route=route)
        self.norm: nn.Module = nn.BatchNorm3d(out_channels)
        self.route = route
        self.size = size
        self.window = window
        self.partial = any(n % p for n, p in zip(size, window, strict=True))

    @property
    def lane_plan(self) -> LanePlan:
        """What the compiled kernel needs to know."""
        t, h, w = (-(-n // p) for n, p in zip(self.size, self.window, strict=True))
        kernel, out = as_triple(self.conv.kernel_size, "kernel_size"), (t, h, w)
        return plan_block(kernel, (1, 1, 1), self.size, out_size=out, window=self.window, relu=True)

    def forward(self, x: Tensor, *, lanes: Lanes = PLAIN) -> Tensor:
        """Apply the block to `x` (B, C_in, T, H, W), laid out as `lanes` says."""
        if lanes.kind != "none":
            return lane_block(x, self.conv, self.norm, self.lane_plan, lanes)
        conv, norm = self.conv, self.norm
        if (
            self.route != "plain"
            and isinstance(conv, SameConv3d)  # it may have been replaced
            and isinstance(norm, nn.BatchNorm3d)
            and norm_pool_serves(conv, norm, x)
        ):
            x = conv.convolve(x, None)
            return norm_pool(x, conv.bias, norm, self.window, partial=self.partial)
        x = norm(conv(x))
        if self.window != (1, 1, 1):
            x = F.max_pool3d(x, self.window, ceil_mode=self.partial)
        return F.relu(x)


class DecoderBlock(nn.Module):
    """Nearest upsampling → Conv3d ("same", odd kernel) → BatchNorm → ReLU, if `activation`.

    `size` is (T, H, W) of the output: what hangs over (the encoder's last window was partial
    there) is cut off. For `route` see :class:`mua_decode.nn.UpsampleConv3d`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        scale: Size,
        size: Size,
        activation: bool = True,
        route: Route = "auto",
    ) -> None:
        super().__init__()
        self.conv = UpsampleConv3d(in_channels, out_channels, kernel_size, scale=scale, route=route)
        self.norm: nn.Module = nn.BatchNorm3d(out_channels)
        self.size = size
        self.activation = activation

    @property
    def lane_plan(self) -> LanePlan:
        """What the compiled kernel needs to know."""
        t, h, w = (-(-n // s) for n, s in zip(self.size, self.conv.scale, strict=True))
        kernel, relu = as_triple(self.conv.kernel_size, "kernel_size"), self.activation
        given = (kernel, self.conv.scale, (t, h, w))
        return plan_block(*given, out_size=self.size, window=(1, 1, 1), relu=relu)

    def forward(self, x: Tensor, *, lanes: Lanes = PLAIN) -> Tensor:
        """Apply the block to `x` (B, C_in, t, h, w), laid out as `lanes` says."""
        if lanes.kind != "none":
            return lane_block(x, self.conv, self.norm, self.lane_plan, lanes)
        x = self.conv(x)
        if tuple(x.shape[2:]) != self.size:
            t, h, w = self.size
            x = x[:, :, :t, :h, :w]
        x = self.norm(x)
        return F.relu(x) if self.activation else x
