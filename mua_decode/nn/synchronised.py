"""Batch statistics over all processes that train one network together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from mua_decode.nn.blocks import DecoderBlock, EncoderBlock
from mua_decode.nn.fast.lane_blocks import update_statistics


class SynchronisedBatchNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of the whole, shared batch.

    Parameters, buffers and numbers are those of ``BatchNorm1d`` to ``BatchNorm3d``; the input is
    (B, C, ...), of any size B in each process. It works on every device, unlike PyTorch's
    ``SyncBatchNorm``, which needs a GPU. In evaluation, or in one process, it is the plain layer.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` (B, C, ...)."""
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(x)
        axes = [0, *range(2, x.dim())]
        wide = (1, -1, *(1 for _ in axes[1:]))
        with torch.autocast(x.device.type, enabled=False):
            values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
            number = values.new_tensor([values.numel() / values.shape[1]])
            total = _Sum.apply(torch.cat([values.sum(axes), number]))
            count = total[-1].detach()
            mean = total[:-1] / count
            centred = values - mean.view(wide)
            # A second pass, not a difference of squares, which would lose the small variances.
            variance = _Sum.apply(centred.square().sum(axes)) / count
            update_statistics(self, mean.detach(), variance.detach() * (count / (count - 1)))
            out = centred * torch.rsqrt(variance + self.eps).view(wide)
            if self.weight is not None:
                out = out * self.weight.view(wide) + self.bias.view(wide)
        return out.to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (B, C, ...), found {tuple(input.shape)}")


@dataclass(frozen=True, eq=False)
class Swapped:
    """A layer that was put in the place of another."""

    parent: nn.Module
    name: str
    plain: nn.Module  # what was there; shares parameters and buffers with what is there now
    bias: RemovableHandle | None  # keeps the gradient of the bias ahead of it at zero


def synchronise(module: nn.Module) -> list[Swapped]:
    """Put a :class:`SynchronisedBatchNorm` in the place of every batch normalisation.

    Parameters, buffers and names stay the same, so optimisers and checkpoints fit. In a block the
    normalisation subtracts the bias of the convolution again: the gradient of that bias is made
    exactly zero, as the fused routes have it. Rounding would leave noise, which an adaptive
    optimiser turns into steps of full size, and the running mean would lag behind them.
    """
    found = []
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
                setattr(parent, name, _remade(child))
                found.append(Swapped(parent, name, child, _silence(parent)))
    return found


def restore(swapped: list[Swapped]) -> None:
    """Put the plain layers back, with what was learnt meanwhile."""
    for one in swapped:
        one.plain.train(one.parent.training)
        setattr(one.parent, one.name, one.plain)
        if one.bias is not None:
            one.bias.remove()


def _silence(parent: nn.Module) -> RemovableHandle | None:
    if not isinstance(parent, EncoderBlock | DecoderBlock) or parent.conv.bias is None:
        return None
    handle: RemovableHandle = parent.conv.bias.register_hook(torch.zeros_like)
    return handle


def _remade(norm: Any) -> SynchronisedBatchNorm:
    made = SynchronisedBatchNorm(
        norm.num_features,
        eps=norm.eps,
        momentum=norm.momentum,
        affine=norm.affine,
        track_running_stats=norm.track_running_stats,
    )
    # The very same tensors, not copies: an optimiser may already hold them.
    made._parameters, made._buffers = norm._parameters, norm._buffers
    made.train(norm.training)
    return made


class _Sum(torch.autograd.Function):
    """Sum over processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG004
        grad = grad.contiguous().clone()
        dist.all_reduce(grad)
        return grad
