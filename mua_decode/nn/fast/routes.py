"""The name of the route a layer computes by, and what bars the quick ones; all give one result."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn

Route = Literal["auto", "plain", "fused", "compiled"]
ROUTES: tuple[str, ...] = get_args(Route)


def check_route(route: str) -> Route:
    """Return `route` if it is one of "auto", "plain", "fused", "compiled", else ValueError."""
    for known in get_args(Route):
        if route == known:
            return known
    raise ValueError(f"kernels: expected one of {', '.join(ROUTES)}, found {route!r}")


def is_eager() -> bool:
    """Whether operations run as they come: no compilation, export, tracing or ``torch.func``."""
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or torch.jit.is_tracing():
        return False
    return torch._C._functorch.peek_interpreter_stack() is None


def has_hooks(*layers: nn.Module) -> bool:
    """Whether somebody listens to one of `layers`."""
    return any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks
        for m in layers
    )
