"""BatchNorm, MaxPool and ReLU in one step that keeps one large tensor instead of three.

The normalisation is a rising line where its weight is positive, so pooling commutes with it: the
convolution's output is pooled as it is, and only what is left is normalised. Where the weight is
negative, the output is pooled with its sign turned.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn.fast.routes import has_hooks, is_eager
from mua_decode.nn.stages import Size


def norm_pool_serves(conv: nn.Module, norm: nn.Module, x: Tensor) -> bool:
    """Whether :func:`norm_pool` can stand for `norm`, pooling and ReLU after `conv` of `x`.

    It can on a CPU in single or double precision, in training, for an unchanged ``BatchNorm3d``,
    and where nobody listens to the two layers.
    """
    if type(norm) is not nn.BatchNorm3d or not norm.training or not is_eager():
        return False
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    if x.dtype not in (torch.float32, torch.float64) or norm.weight is None:
        return False
    if norm.running_mean is None or norm.momentum is None or norm.weight.dtype != x.dtype:
        return False
    return not has_hooks(conv, norm)


def norm_pool(
    x: Tensor, bias: Tensor | None, norm: nn.BatchNorm3d, window: Size, *, partial: bool
) -> Tensor:
    """Add `bias`, normalise by batch statistics, pool and cut off below zero.

    `x` (B, C, T, H, W), quickest in channels-last layout, is a convolution's output without its
    `bias` (C,), which the normalisation subtracts again: it enters the running mean alone, and its
    gradient is exactly zero. The running statistics of `norm` are updated. `partial` says whether
    windows that hang over the end of an axis pool what is there.
    """
    assert norm.running_mean is not None
    assert norm.momentum is not None
    out: Tensor = _NormPool.apply(x, bias, norm.weight, norm.bias, norm, window, partial)
    with torch.no_grad():
        if bias is not None:
            norm.running_mean.add_(bias, alpha=norm.momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
    return out


def _reference(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, window: Size, partial: bool
) -> Tensor:
    y = F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    return F.relu(F.max_pool3d(y, window, ceil_mode=partial))


def _rows(x: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, T·H·W, C); no copy of a channels-last tensor."""
    return x.permute(0, 2, 3, 4, 1).flatten(1, 3)


class _NormPool(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        extra: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        norm: nn.BatchNorm3d,
        window: Size,
        partial: bool,
    ) -> Tensor:
        if x.numel() == x.shape[1]:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got {tuple(x.shape)}"
            )
        mean, variance = torch.batch_norm_update_stats(
            x, norm.running_mean, norm.running_var, float(norm.momentum or 0.0)
        )
        falling = weight < 0
        if bool(falling.any()):
            sign = torch.where(falling, -1.0, 1.0).to(x).view(1, -1, 1, 1, 1)
            pooled, where = F.max_pool3d_with_indices(x * sign, window, ceil_mode=partial)
            pooled = pooled * sign
        else:
            pooled, where = F.max_pool3d_with_indices(x, window, ceil_mode=partial)
        scale = weight * torch.rsqrt(variance + norm.eps)
        shift = bias - mean * scale
        out = torch.addcmul(_wide(shift), pooled, _wide(scale)).relu_()
        ctx.save_for_backward(x, weight, bias, pooled, where, mean, variance, out)
        ctx.has_extra = extra is not None
        ctx.eps, ctx.window, ctx.partial = norm.eps, window, partial
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, pooled, where, mean, variance, out = ctx.saved_tensors
        extra = torch.zeros_like(bias) if ctx.has_extra else None
        if torch.is_grad_enabled():  # a graph of the gradient is asked for
            inputs = (x, weight, bias)
            wanted = [t for t in inputs if t.requires_grad]
            again = _reference(x, weight, bias, ctx.eps, ctx.window, ctx.partial)
            found = iter(torch.autograd.grad(again, wanted, grad, create_graph=True))
            gx, gw, gb = (next(found) if t.requires_grad else None for t in inputs)
            return gx, extra, gw, gb, None, None, None
        grad = grad * (out > 0)
        inverse_std = torch.rsqrt(variance + ctx.eps)
        rows = _rows(grad)
        total = rows.sum((0, 1))
        weighted = (rows * (_rows(pooled) - mean)).sum((0, 1)) * inverse_std
        scale = weight * inverse_std
        number = x.numel() // x.shape[1]
        slope = -scale * inverse_std * weighted / number
        constant = -scale * total / number - slope * mean
        given = None
        if ctx.needs_input_grad[0]:
            # A line per channel, which the normalisation's own kernel draws quickest.
            zeros, ones = torch.zeros_like(mean), torch.ones_like(mean)
            line = F.batch_norm(x, zeros, ones, slope, constant, training=False, eps=0.0)
            flat = _rows(line).contiguous()
            flat.scatter_add_(1, _rows(where), rows * scale)
            batch, channels, *size = x.shape
            given = flat.view(batch, *size, channels).permute(0, 4, 1, 2, 3)
        return given, extra, weighted, total, None, None, None


def _wide(x: Tensor) -> Tensor:
    return x.view(1, -1, 1, 1, 1)
