"""Shape checks at the door of a model."""

from __future__ import annotations

from torch import Tensor


def check_sizes(n_sites: int, n_bins: int, frame_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return `frame_shape` as (C, H, W); ValueError if not three entries, or a size is below 1."""
    for name, value in (("n_sites", n_sites), ("n_bins", n_bins)):
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, found {value}")
    if len(frame_shape) != 3 or any(int(n) < 1 for n in frame_shape):
        raise ValueError(f"frame_shape: expected (C, H, W), found {tuple(frame_shape)}")
    return int(frame_shape[0]), int(frame_shape[1]), int(frame_shape[2])


def check_input(x: Tensor, expected: tuple[int, ...], *, name: str, axes: str) -> None:
    """Raise ValueError if `x` has not the shape (any, \\*expected)."""
    if x.dim() != len(expected) + 1 or tuple(x.shape[1:]) != expected:
        wanted = ", ".join(("batch", *map(str, expected)))
        raise ValueError(f"{name}: expected {axes} = ({wanted}), found {tuple(x.shape)}")
