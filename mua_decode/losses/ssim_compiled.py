"""Structural similarity and its gradient in one pass over each frame, on the compiled kernel."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mua_decode.nn.fast.kernels import load_lanes, run_kernel
from mua_decode.nn.fast.routes import is_eager


class _SimilarityStruct(ctypes.Structure):
    """The struct Similarity of nn/fast/kernels/lanes.cpp."""

    _fields_ = [  # ctypes wants a plain list
        *((n, ctypes.c_int64) for n in ("frames", "h", "w", "window", "margin", "threads")),
        ("c1", ctypes.c_float),
        ("c2", ctypes.c_float),
    ]


def compiled_applies(predicted: Tensor, true: Tensor) -> bool:
    """Whether the kernel serves: single precision on a CPU, and no gradient to `true`."""
    single = all(
        x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() for x in (predicted, true)
    )
    return bool(is_eager() and single and not true.requires_grad and load_lanes() is not None)


class CompiledSimilarity(torch.autograd.Function):
    """Mean similarity of each frame, (...), for frames (..., H, W), float32 on the CPU.

    `taps` is the window along one axis, odd and summing to one; at its edges the frame is mirrored
    by `margin` pixels before the window is laid on it; the constants are C1 and C2 of the formula.
    The gradient is made with the value, while the frame is in the cache.
    """

    @staticmethod
    def forward(
        ctx: Any,
        predicted: Tensor,
        true: Tensor,
        taps: np.ndarray,
        margin: int,
        constants: tuple[float, float],
    ) -> Tensor:
        """Score every frame."""
        height, width = predicted.shape[-2:]
        predicted, true = predicted.contiguous(), true.contiguous()
        values = predicted.new_empty(predicted.shape[:-2])
        wanted = bool(ctx.needs_input_grad[0])
        gradient = torch.empty_like(predicted) if wanted else None
        weights = torch.from_numpy(taps.astype(np.float32))
        sizes = (values.numel(), height, width, len(taps), margin, torch.get_num_threads())
        given = _SimilarityStruct(*sizes, *constants)
        run_kernel("lanes_similarity", given, predicted, true, weights, values, gradient)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient to `predicted` alone."""
        (gradient,) = ctx.saved_tensors
        return gradient * grad[..., None, None], None, None, None, None
