"""When the compiled kernel serves a video network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.nn.fast.lane_blocks import PLAIN, Lanes
from mua_decode.nn.fast.routes import Route, has_hooks, is_eager

# Below this share of filled lanes trials are no good filling.
_LEAST_FILLED = 0.5


class RoutedNetwork(Protocol):
    """What the choice reads of a network."""

    route: Route
    training: bool
    encoder: nn.ModuleList
    decoder: nn.ModuleList

    def parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter, once."""


def choose_lanes(network: RoutedNetwork, video: Tensor) -> Lanes:
    """How the compiled kernel serves `network` on `video` (B, C, T, H, W), if it does.

    It does on a CPU in single precision where a compiler was found: with the trials in the vector
    lanes if they fill at least half of them, with the positions of a frame if there are fewer and
    no gradient is asked for. Double precision, autocast, tracing and export, gradients through
    frozen (evaluation mode) statistics, and networks whose layers were replaced or carry hooks
    take the PyTorch route.
    """
    if not is_eager():
        return PLAIN
    if network.route not in ("auto", "compiled") or video.device.type != "cpu":
        return PLAIN
    if torch.is_autocast_enabled("cpu") or not _is_single(network, video):
        return PLAIN
    if not all(_is_stock(block) for block in (*network.encoder, *network.decoder)):
        return PLAIN
    gradient = torch.is_grad_enabled() and (
        video.requires_grad or any(p.requires_grad for p in network.parameters())
    )
    if gradient and not network.training:
        return PLAIN
    library = load_lanes()
    batch = int(video.shape[0])
    if library is None or batch == 0:
        return PLAIN
    lanes = int(library.lanes_width())
    if batch >= _LEAST_FILLED * lanes * -(-batch // lanes):
        return Lanes("trials", batch)
    return PLAIN if network.training else Lanes("positions", batch)


def _is_single(network: RoutedNetwork, video: Tensor) -> bool:
    return video.dtype == torch.float32 and all(
        p.dtype == torch.float32 for p in network.parameters()
    )


def _is_stock(block: nn.Module) -> bool:
    """Whether a block's layers are the ones it was built with, and nobody listens to them."""
    norm: Any = block.norm
    if type(norm) is nn.BatchNorm3d:
        stock = norm.affine and norm.track_running_stats and norm.training == block.training
    else:
        stock = type(norm) is nn.Identity and not block.training
    plan: Any = block.lane_plan
    return bool(stock and plan.supported and not has_hooks(*block.modules()))
