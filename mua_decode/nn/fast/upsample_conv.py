"""Nearest upsampling followed by a "same" 3-D convolution, computed at the low resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.nn.fast.routes import Route, is_eager
from mua_decode.nn.fast.same_conv import SameConv3d, as_triple
from mua_decode.nn.fast.spectral_conv import spectral_conv3d, spectral_pays
from mua_decode.nn.fast.upsample_plan import AxisPlan, plan_axes, sum_taps
from mua_decode.nn.stages import Size

_USUAL_BATCH = 32


class UpsampleConv3d(SameConv3d):
    """``Upsample(scale_factor=scale, mode="nearest")`` and ``Conv3d(padding="same")`` in one.

    The parameters are those of the plain convolution, ``weight`` (C_out, C_in, kt, kh, kw) and
    ``bias`` (C_out,), with the same initialisation, so checkpoints interchange between routes.

    Parameters
    ----------
    scale
        Integer upsampling along (time, height, width), or one for all; ValueError below 1.
    route : {"auto", "plain", "fused"}
        "plain" upsamples, then convolves. "fused" collapses the taps of every upsampled axis
        (see ``upsample_plan``). "auto" collapses only the axes in which that is
        less work for the shape at hand. Both take a product of spectra along time
        (``spectral_conv``) where that is less work again.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Size,
        *,
        scale: int | Size = 1,
        bias: bool = True,
        route: Route = "auto",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, route=route)
        self.scale = as_triple(scale, "scale")

    def extra_repr(self) -> str:
        """Describe the layer in its printed form."""
        before, route = super().extra_repr().rsplit(", ", 1)
        return f"{before}, scale={self.scale}, {route}"

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Upsample and convolve `x` (B, C_in, T, H, W) to (B, C_out, T·st, H·sh, W·sw)."""
        # Exported programs and those compiled for a CPU take the stock operations.
        stock = torch.compiler.is_exporting() or (x.device.type == "cpu" and not is_eager())
        if self.route == "plain" or stock:
            if self.scale != (1, 1, 1):
                x = F.interpolate(x, scale_factor=tuple(float(s) for s in self.scale))
            return F.conv3d(x, self.weight, bias, padding=self.padding)
        force = self.route == "fused"
        return upsample_conv3d(x, self.weight, bias, scale=self.scale, force=force)


def upsample_conv3d(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, scale: Size, force: bool
) -> Tensor:
    """Nearest upsampling by `scale` and a "same" convolution, as one small convolution.

    Equal to the two plain steps up to rounding; `force` collapses the taps of every upsampled
    axis instead of choosing by cost.
    """
    # A traced program serves batches of any size: it is planned for a usual one.
    batch = _USUAL_BATCH if torch.compiler.is_compiling() else int(x.shape[0])
    axes = plan_axes(
        (int(weight.shape[2]), int(weight.shape[3]), int(weight.shape[4])),
        scale,
        (int(x.shape[2]), int(x.shape[3]), int(x.shape[4])),
        channels=(int(weight.shape[1]), int(weight.shape[0])),
        batch=batch,
        force=force,
    )
    before = tuple(1.0 if axis.collapsed else float(axis.scale) for axis in axes)
    if before != (1.0, 1.0, 1.0):
        x = F.interpolate(x, scale_factor=before)
    phases = axes[0].phases * axes[1].phases * axes[2].phases
    with torch.autocast(x.device.type, enabled=False):
        collapsed = _collapse_weight(weight, axes)
    if bias is not None and phases > 1:
        bias = bias.repeat_interleave(phases)
    padding = (axes[0].padding, axes[1].padding, axes[2].padding)
    if spectral_pays(x, collapsed, padding):
        y = spectral_conv3d(x, collapsed, bias, padding)
    else:
        y = F.conv3d(x, collapsed, bias, padding=padding)
    return y if phases == 1 else _shuffle(y, int(weight.shape[0]), axes)


def _collapse_weight(weight: Tensor, axes: tuple[AxisPlan, AxisPlan, AxisPlan]) -> Tensor:
    """Sum the taps: (O, I, kt, kh, kw) -> (O·phases, I, taps_t, taps_h, taps_w)."""
    o, i = weight.shape[:2]
    for dim, axis in enumerate(axes):
        if not axis.collapsed:
            cut = (weight.shape[2 + dim] - axis.taps) // 2
            weight = weight.narrow(2 + dim, cut, axis.taps)
    folded = [axis.matrix(weight) for axis in axes if axis.collapsed]
    if not folded:
        return weight
    for dim, axis in enumerate(axes):
        if not axis.collapsed:
            eye = torch.eye(axis.taps, dtype=weight.dtype, device=weight.device)
            folded.insert(dim, eye.unsqueeze(0))
    w = sum_taps(weight, folded, "oqprifgj")
    phases = axes[0].phases * axes[1].phases * axes[2].phases
    return w.reshape(o * phases, i, axes[0].taps, axes[1].taps, axes[2].taps)


def _shuffle(y: Tensor, c_out: int, axes: tuple[AxisPlan, AxisPlan, AxisPlan]) -> Tensor:
    """Lay the phases out in space and time: (B, O·phases, t, h, w) -> (B, O, T, H, W)."""
    batch = y.shape[0]
    y = y.reshape(batch, c_out, axes[0].phases, axes[1].phases, axes[2].phases, *y.shape[2:])
    for dim, axis in enumerate(axes):
        if not axis.collapsed:
            continue
        where = 5 + dim
        if len(set(axis.starts)) == 1:
            y = y.narrow(where, axis.starts[0], axis.length)
        else:
            parts = [
                y.narrow(2 + dim, r, 1).narrow(where, start, axis.length)
                for r, start in enumerate(axis.starts)
            ]
            y = torch.cat(parts, dim=2 + dim)
    sizes = [axis.length * axis.scale for axis in axes]
    return y.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, c_out, *sizes)
