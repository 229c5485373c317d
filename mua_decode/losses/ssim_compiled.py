"""Structural similarity and its gradient in one pass over each frame, on the compiled kernel."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mua_decode.nn.fast.kernels import load_lanes


class _SimilarityStruct(ctypes.Structure):
    """The struct Similarity of nn/kernels/lanes.cpp."""

    _fields_ = [  # ctypes wants a plain list
        *((n, ctypes.c_int64) for n in ("frames", "h", "w", "window", "margin", "threads")),
        ("c1", ctypes.c_float),
        ("c2", ctypes.c_float),
    ]


def compiled_applies(predicted: Tensor, true: Tensor) -> bool:
    """Whether the kernel serves: single precision on a CPU, and no gradient to `true`."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    single = all(
        x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() for x in (predicted, true)
    )
    if not single or true.requires_grad:
        return False
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    return load_lanes() is not None


def compiled_similarity(
    predicted: Tensor,
    true: Tensor,
    taps: np.ndarray,
    *,
    margin: int,
    constants: tuple[float, float],
) -> Tensor:
    """Mean similarity of each frame, (...), for frames (..., H, W).

    Parameters
    ----------
    predicted, true : Tensor
        (..., H, W), float32 on the CPU.
    taps : ndarray
        Window along one axis, odd length, summing to one.
    margin : int
        Pixels by which the frame is mirrored at its edges before the window is laid on it.
    constants : (float, float)
        C1 and C2 of the formula.
    """
    out: Tensor = _Similarity.apply(predicted, true, taps, margin, constants)
    return out


class _Similarity(torch.autograd.Function):
    """The gradient is made with the value, while the frame is in the cache."""

    @staticmethod
    def forward(
        ctx: Any,
        predicted: Tensor,
        true: Tensor,
        taps: np.ndarray,
        margin: int,
        constants: tuple[float, float],
    ) -> Tensor:
        height, width = predicted.shape[-2:]
        predicted, true = predicted.contiguous(), true.contiguous()
        values = predicted.new_empty(predicted.shape[:-2])
        wanted = bool(ctx.needs_input_grad[0])
        gradient = torch.empty_like(predicted) if wanted else None
        weights = torch.from_numpy(taps.astype(np.float32))
        given = _SimilarityStruct(
            values.numel(),
            height,
            width,
            len(taps),
            margin,
            torch.get_num_threads(),
            *constants,
        )
        library = load_lanes()
        assert library is not None
        library.lanes_similarity(
            ctypes.byref(given),
            predicted.data_ptr(),
            true.data_ptr(),
            weights.data_ptr(),
            values.data_ptr(),
            None if gradient is None else gradient.data_ptr(),
        )
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad[..., None, None], None, None, None, None
