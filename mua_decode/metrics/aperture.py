"""What the measures of the task read in a frame: a disc round the fixation point, grey levels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

RADIUS = 10.5 / 32  # of the frame's width: the aperture of the task
FIXATION_RADIUS = 2.5 / 32  # holds the fixation point and its anti-aliased rim
_QUARTILES = (2 / 4, 3 / 4)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV turns RGB to grey


def to_grey(video: Tensor) -> Tensor:
    """Return float32 (B, T, H, W) of a video (B, C, T, H, W): BT.601 luma of RGB, else the mean."""
    if video.shape[1] != 3:
        return video.float().mean(1)
    return torch.einsum("bcthw,c->bthw", video.float(), video.new_tensor(_LUMA).float())


def ring(height: int, width: int, *, inner_px: float, outer_px: float) -> Tensor:
    """Pixels whose centre lies ``inner_px < r <= outer_px`` from the middle, bool (H, W).

    Raises ValueError if no pixel does.
    """
    y = torch.arange(height) - (height - 1) / 2
    x = torch.arange(width) - (width - 1) / 2
    r = torch.hypot(y[:, None], x[None])
    inside = (r > inner_px) & (r <= outer_px)
    if not inside.any():
        raise ValueError(
            f"aperture: no pixel of {height} x {width} lies {inner_px:g} to {outer_px:g} px "
            "from the middle"
        )
    return inside


def disc(height: int, width: int, *, radius: float) -> Tensor:
    """Pixels of the aperture, bool (H, W); ``radius`` is a share of the frame's width."""
    return ring(height, width, inner_px=-1.0, outer_px=radius * width)


def quartile_points(height: int, width: int, *, radius: float | None) -> Tensor:
    """Rows and columns of the four points at 2/4 and 3/4 along the aperture's bounding box.

    Long (4, 2) of (row, column), row slowest: the first lies on the fixation point. ``radius`` is
    a share of the frame's width, ``None``: along the frame itself. Raises ValueError if the box
    leaves the frame.
    """
    if radius is None:
        rows, columns = (
            torch.tensor([math.floor(q * s) for q in _QUARTILES]) for s in (height, width)
        )
        return torch.cartesian_prod(rows, columns)
    reach = radius * width
    if not 0 < reach <= min(height, width) / 2:
        raise ValueError(
            f"aperture: a radius of {reach:g} px does not fit a frame of {height} x {width}"
        )

    def along(side: int) -> list[int]:
        return [min(math.floor(side / 2 + (2 * q - 1) * reach), side - 1) for q in _QUARTILES]

    return torch.cartesian_prod(torch.tensor(along(height)), torch.tensor(along(width)))
