"""The encoding model: video in, activity out."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn import Route, VideoAutoencoder, as_skip, check_input, check_sizes, squash

VIDEO_ACTIVATIONS = ("squash", "none")


class InvertedVideoUNet(nn.Module):
    """The video decoder turned round: 3-D encoder and mirror, then one frame at a time to spikes.

    Options and errors as in :class:`mua_decode.models.VideoUNet`, but for `spike_hidden`, the
    hidden units between a frame and the activity, and `video_activation`, what becomes of the
    mirror's output before it reaches them: "squash" into [0, 1], (tanh(v) + 1) / 2 as in the
    decoder (our reading of "the choice of activation function remains unchanged"), or "none", as
    the authors' code has it. 3,551,983 parameters at 140 sites, 45 bins,
    (3, 32, 32) and the default options (doi 10.1038/s42003-025-09486-7).
    """

    def __init__(
        self,
        n_sites: int,
        n_bins: int,
        frame_shape: tuple[int, int, int],
        *,
        width: int = 32,
        kernel_sizes: tuple[int, ...] = (7, 5, 3, 3),
        time_pools: tuple[int, ...] | None = None,
        space_pools: tuple[int | tuple[int, int], ...] = (2, 2, 2, 2),
        spike_hidden: int = 512,
        skip_connections: bool | str = False,
        video_activation: str = "squash",
        kernels: Route = "auto",
    ) -> None:
        super().__init__()
        channels, height, frame_width = check_sizes(n_sites, n_bins, frame_shape)
        self.frame_shape = (channels, height, frame_width)
        self.n_sites, self.n_bins = n_sites, n_bins
        if video_activation not in VIDEO_ACTIVATIONS:
            known = " or ".join(VIDEO_ACTIVATIONS)
            raise ValueError(f"video_activation: expected {known}, found {video_activation!r}")
        self.video_activation = video_activation
        self.autoencoder = VideoAutoencoder(
            n_bins,
            self.frame_shape,
            width=width,
            kernel_sizes=kernel_sizes,
            time_pools=time_pools,
            space_pools=space_pools,
            skip=as_skip(skip_connections),
            kernels=kernels,
        )
        self.hidden = nn.Linear(channels * height * frame_width, spike_hidden)
        self.norm = nn.BatchNorm1d(n_bins)
        self.activity = nn.Linear(spike_hidden, n_sites)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """Shape (channels, T', H', W') of the latent."""
        return self.autoencoder.latent_shape

    def encode(self, video: Tensor) -> Tensor:
        """Return the latent (B, channels·T'·H'·W') of `video` (B, C, T, H, W)."""
        self._check(video)
        return self.autoencoder.encode(video).flatten(1)

    def forward(self, video: Tensor) -> Tensor:
        """Predict standardised activity (B, T, N) from `video` (B, C, T, H, W) in [0, 1]."""
        self._check(video)
        inner = self.autoencoder(video)
        if self.video_activation == "squash":
            inner = squash(inner)
        frames = inner.permute(0, 2, 3, 4, 1).flatten(2)
        out: Tensor = self.activity(F.relu(self.norm(self.hidden(frames))))
        return out

    def _check(self, video: Tensor) -> None:
        channels, height, width = self.frame_shape
        expected = (channels, self.n_bins, height, width)
        check_input(video, expected, name="video", axes="(B, C, T, H, W)")
