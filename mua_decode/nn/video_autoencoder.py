"""The encoder g and the decoder h that take a video to a latent and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from mua_decode.nn.blocks import DecoderBlock, EncoderBlock
from mua_decode.nn.fast.lane_blocks import Lanes, from_lanes, to_lanes
from mua_decode.nn.fast.lane_routes import choose_lanes
from mua_decode.nn.fast.routes import Route, check_route
from mua_decode.nn.stages import N_STAGES, as_pools, stage_sizes

Skip = Literal["none", "add", "concatenate"]
_WIDTHS = (1, 2, 4, 4)


class VideoAutoencoder(nn.Module):
    """Four convolution blocks down to a latent and their mirror up to a video.

    Options as in :class:`mua_decode.models.VideoUNet`, whose defaults are the widths, kernels and
    pools of doi 10.1038/s42003-025-09486-7.

    Parameters
    ----------
    skip
        How the output of an encoder block joins the input of the decoder block at its size.
        "add" has the parameters of "none".
    kernels
        Route of the convolutions. "auto" takes the compiled one where it applies
        (:func:`mua_decode.nn.fast.lane_routes.choose_lanes`) and else chooses layer by layer.
    """

    def __init__(
        self,
        n_bins: int,
        frame_shape: tuple[int, int, int],
        *,
        width: int,
        kernel_sizes: Sequence[int],
        time_pools: Sequence[int] | None,
        space_pools: Sequence[int | tuple[int, int]],
        skip: Skip = "none",
        kernels: Route = "auto",
    ) -> None:
        super().__init__()
        if len(kernel_sizes) != N_STAGES:
            raise ValueError(
                f"kernel_sizes: expected {N_STAGES} kernels, found {len(kernel_sizes)}"
            )
        if width < 1:
            raise ValueError(f"width: expected at least 1, found {width}")
        route = check_route(kernels)
        channels, height, frame_width = frame_shape
        pools = as_pools(time_pools, space_pools, n_bins=n_bins)
        self.sizes, windows = stage_sizes((n_bins, height, frame_width), pools)
        self.skip = skip
        self.route = route
        self.channels_last = route != "plain"
        self.widths = tuple(width * factor for factor in _WIDTHS)
        joined = 2 if skip == "concatenate" else 1
        self.encoder = nn.ModuleList()
        for i in range(N_STAGES):
            self.encoder.append(
                EncoderBlock(
                    channels if i == 0 else self.widths[i - 1],
                    self.widths[i],
                    kernel_sizes[i],
                    size=self.sizes[i],
                    window=windows[i],
                    stem=i == 0,
                    route=route,
                )
            )
        self.decoder = nn.ModuleList()
        for i in reversed(range(N_STAGES)):
            deepest = i == N_STAGES - 1
            self.decoder.append(
                DecoderBlock(
                    self.widths[i] * (1 if deepest else joined),
                    channels if i == 0 else self.widths[i - 1],
                    kernel_sizes[i],
                    scale=windows[i],
                    size=self.sizes[i],
                    activation=i > 0,
                    route=route,
                )
            )

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """Shape (channels, T', H', W') of the latent."""
        return (self.widths[-1], *self.sizes[-1])

    def _stages(self, video: Tensor, lanes: Lanes) -> list[Tensor]:
        """Return the output of every encoder block."""
        if lanes.kind == "trials":
            video = to_lanes(video)
        elif lanes.kind == "none" and self.channels_last and video.device.type == "cpu":
            video = video.contiguous(memory_format=torch.channels_last_3d)
        stages = []
        for block in self.encoder:
            video = block(video, lanes=lanes)
            stages.append(video)
        return stages

    def encode(self, video: Tensor) -> Tensor:
        """Return the latent (B, 4·width, T', H', W') of `video` (B, C, T, H, W)."""
        lanes = choose_lanes(self, video)
        latent = self._stages(video, lanes)[-1]
        return from_lanes(latent, lanes.batch) if lanes.kind == "trials" else latent

    def forward(self, video: Tensor) -> Tensor:
        """Return the unsquashed output (B, C, T, H, W) for `video` (B, C, T, H, W)."""
        lanes = choose_lanes(self, video)
        stages = self._stages(video, lanes)
        x = stages[-1]
        for i, block in zip(reversed(range(N_STAGES)), self.decoder, strict=True):
            if self.skip != "none" and i < N_STAGES - 1:
                x = x + stages[i] if self.skip == "add" else torch.cat((x, stages[i]), dim=1)
            x = block(x, lanes=lanes)
        return from_lanes(x, lanes.batch) if lanes.kind == "trials" else x


def squash(v: Tensor) -> Tensor:
    """Return (tanh(v) + 1) / 2, in [0, 1]."""
    return torch.sigmoid(2 * v)


def as_skip(skip_connections: bool | str) -> Skip:
    """Return the way of joining that `skip_connections` names; True means "concatenate".

    Raises ValueError on another name than "none", "add", "concatenate".
    """
    if skip_connections is True or skip_connections == "concatenate":
        return "concatenate"
    if skip_connections is False or skip_connections == "none":
        return "none"
    if skip_connections == "add":
        return "add"
    raise ValueError(
        "skip_connections: expected true, false, none, add or concatenate, "
        f"found {skip_connections!r}"
    )
