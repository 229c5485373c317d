"""The name of the route a layer computes by; every route gives the same numbers."""

from __future__ import annotations

from typing import Literal, get_args

import torch

Route = Literal["auto", "plain", "fused", "compiled"]
ROUTES: tuple[str, ...] = get_args(Route)


def check_route(route: str) -> Route:
    """Return `route` if it is one of "auto", "plain", "fused", "compiled".

    Raises
    ------
    ValueError
        If it is none of them.
    """
    for known in get_args(Route):
        if route == known:
            return known
    raise ValueError(f"kernels: expected one of {', '.join(ROUTES)}, found {route!r}")


def is_eager() -> bool:
    """Whether operations run as they come: no compilation, export, tracing or ``torch.func``."""
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing():
        return False
    return torch._C._functorch.peek_interpreter_stack() is None


def as_triple(value: int | tuple[int, ...] | list[int], name: str) -> tuple[int, int, int]:
    """Return `value` as (time, height, width); one number stands for all three.

    Raises
    ------
    ValueError
        If there are not three positive integers.
    """
    values = (value,) * 3 if isinstance(value, int) else tuple(int(v) for v in value)
    if len(values) != 3 or any(v < 1 for v in values):
        raise ValueError(f"{name}: expected three positive integers (T, H, W), found {value!r}")
    return values[0], values[1], values[2]
