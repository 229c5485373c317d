"""Structural similarity of many frames at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mua_decode.losses.ssim_compiled import CompiledSimilarity, compiled_applies

Padding = Literal["valid", "reflect"]
_K1, _K2 = 0.01, 0.03


def ssim(
    predicted: Tensor,
    true: Tensor,
    *,
    data_range: float,
    window_size: int = 11,
    sigma: float = 1.5,
    padding: Padding = "valid",
    compiled: bool = True,
) -> Tensor:
    """Mean structural similarity of each frame (...), in [-1, 1] (doi 10.1109/TIP.2003.819861).

    All frames go through in one call; the Gaussian blur is two products with banded matrices, one
    along each axis. The sum of the two variances needs one blur, so there are four in all.

    Parameters
    ----------
    predicted, true
        (..., H, W), any number of leading axes, the same shape.
    data_range
        Distance between the least and the greatest possible pixel value (1 for [0, 1]).
    window_size
        Odd side of the Gaussian window, at most H and W.
    sigma
        Standard deviation of the window in pixels.
    padding
        Where similarity is averaged. "valid": only where the window lies inside the frame, a
        border of (window_size - 1) / 2 pixels is left out. That is what scikit-image's
        ``structural_similarity(gaussian_weights=True, use_sample_covariance=False)`` returns
        (sigma 1.5 gives window 11) and what pytorch-msssim does; a 32×32 frame is then judged by
        its central 22×22 window centres. "reflect": everywhere, the frame mirrored at its edges.
    compiled
        Whether the compiled kernel may serve, where it can; the numbers are the same.

    Raises ValueError on unequal shapes, an even window, a window larger than the frame, or a
    range, sigma or padding out of bounds.
    """
    if predicted.shape != true.shape or predicted.dim() < 2:
        raise ValueError(
            f"ssim: expected two equal shapes (..., H, W), found {tuple(predicted.shape)} "
            f"and {tuple(true.shape)}"
        )
    if not data_range > 0:
        raise ValueError(f"data_range: expected a positive number, found {data_range}")
    frame = (int(true.shape[-2]), int(true.shape[-1]))
    _check_window(frame, window_size=window_size, sigma=sigma, padding=padding)
    if predicted.dtype in (torch.float16, torch.bfloat16):
        predicted = predicted.float()
    true = true.to(predicted.dtype)
    constants = ((_K1 * data_range) ** 2, (_K2 * data_range) ** 2)
    with torch.autocast(predicted.device.type, enabled=False):
        if compiled and compiled_applies(predicted, true):
            taps = _gaussian(window_size, sigma)
            margin = window_size // 2 if padding == "reflect" else 0
            out: Tensor = CompiledSimilarity.apply(predicted, true, taps, margin, constants)
            return out
        blurs = (torch.from_numpy(_blur_array(n, window_size, sigma, padding)) for n in frame)
        rows, columns = (blur.to(true) for blur in blurs)
        return _mean_similarity(predicted, true, rows, columns.T, constants)


def _mean_similarity(
    predicted: Tensor, true: Tensor, rows: Tensor, columns: Tensor, constants: tuple[float, float]
) -> Tensor:
    """Compute :func:`ssim` from the matrices that blur from the left and from the right."""

    def blur(x: Tensor) -> Tensor:
        return rows @ (x @ columns)

    mean_p, mean_t = blur(predicted), blur(true)
    product, squares = mean_p * mean_t, mean_p.square() + mean_t.square()
    covariance = blur(predicted * true) - product
    variances = blur(predicted.square() + true.square()) - squares
    c1, c2 = constants
    similarity = ((2 * product + c1) * (2 * covariance + c2)) / ((squares + c1) * (variances + c2))
    return similarity.mean(dim=(-2, -1))


def _check_window(frame: tuple[int, int], *, window_size: int, sigma: float, padding: str) -> None:
    """Raise ValueError unless a Gaussian window can be laid on a frame (H, W)."""
    if window_size < 1 or window_size % 2 == 0:
        raise ValueError(f"window_size: expected an odd number, found {window_size}")
    if not sigma > 0:
        raise ValueError(f"sigma: expected a positive number, found {sigma}")
    if padding not in get_args(Padding):
        raise ValueError(f"padding: expected valid or reflect, found {padding!r}")
    smallest = min(frame)
    if window_size > smallest:
        fits = smallest if smallest % 2 else smallest - 1
        raise ValueError(
            f"window_size: expected at most {fits} for frames of {frame[0]}×{frame[1]} pixels, "
            f"found {window_size}"
        )


def _gaussian(window_size: int, sigma: float) -> np.ndarray:
    half = window_size // 2
    taps: np.ndarray = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    return taps / taps.sum()


@lru_cache(maxsize=64)
def _blur_array(length: int, window_size: int, sigma: float, padding: str) -> np.ndarray:
    """Return the banded matrix (out, length) that blurs along one axis, float64."""
    half = window_size // 2
    taps = _gaussian(window_size, sigma)
    margin = half if padding == "valid" else 0
    centres = np.arange(margin, length - margin)
    matrix = np.zeros((len(centres), length))
    for row, centre in enumerate(centres):
        for offset, tap in zip(range(-half, half + 1), taps, strict=True):
            cell = centre + offset
            # Mirror about the outer edge of the first and last pixel, as scipy.ndimage does.
            if cell < 0:
                cell = -cell - 1
            elif cell >= length:
                cell = 2 * length - 1 - cell
            matrix[row, cell] += tap
    return matrix
