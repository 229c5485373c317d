"""The video decoder: spikes in, video out."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.nn import (
    Route,
    SpikeEncoder,
    VideoAutoencoder,
    as_skip,
    check_input,
    check_sizes,
    squash,
)


class VideoUNet(nn.Module):
    """Spike encoder, 3-D convolutional encoder and its mirror (doi 10.1038/s42003-025-09486-7).

    Frames (C, H, W) of any size are served. 3,554,915 parameters at 140 sites, 45 bins, (3, 32, 32)
    and the default options. Raises ValueError on sizes below 1, even kernels, a wrong number of
    kernels or pools, or an unknown name.

    Parameters
    ----------
    width
        Channels of the first block; the four blocks have (1, 2, 4, 4) times as many.
    kernel_sizes
        Odd kernel of each encoder block; the decoder mirrors them.
    time_pools
        Pooling along time per block; None derives them from `n_bins` so that one bin is left.
    space_pools
        Pooling along height and width per block; a pair gives them apart.
    spike_hidden
        Hidden units of the spike encoder.
    spike_dropout
        Chance, in [0, 1), that a count is silenced (set to the site's mean, 0) in training.
    skip_connections
        Joins the encoder blocks to the decoder blocks of their size; True means "concatenate".
        False, as published, leaves everything to the latent.
    output_skip
        Adds the spike encoder's video (before its sigmoid) to the output before it is squashed,
        so that the convolutions learn what to change in it.
    kernels
        Route of the convolutions; all give the same numbers.
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
        spike_dropout: float = 0.0,
        skip_connections: bool | str = False,
        output_skip: bool = False,
        kernels: Route = "auto",
    ) -> None:
        super().__init__()
        self.frame_shape = check_sizes(n_sites, n_bins, frame_shape)
        self.n_sites, self.n_bins = n_sites, n_bins
        if not 0 <= spike_dropout < 1:
            raise ValueError(f"spike_dropout: expected a number in [0, 1), found {spike_dropout}")
        self.spike_dropout = spike_dropout
        self.output_skip = output_skip
        self.spike_encoder = SpikeEncoder(n_sites, n_bins, self.frame_shape, hidden=spike_hidden)
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

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """Shape (channels, T', H', W') of the latent; (128, 1, 2, 2) in the published network."""
        return self.autoencoder.latent_shape

    def encode(self, spikes: Tensor) -> Tensor:
        """Return the latent (B, channels·T'·H'·W') of `spikes` (B, T, N)."""
        check_input(spikes, (self.n_bins, self.n_sites), name="spikes", axes="(B, T, N)")
        return self.autoencoder.encode(self.spike_encoder(spikes)).flatten(1)

    def forward(self, spikes: Tensor) -> Tensor:
        """Decode `spikes` (B, T, N), standardised counts, to a video (B, C, T, H, W) in [0, 1]."""
        check_input(spikes, (self.n_bins, self.n_sites), name="spikes", axes="(B, T, N)")
        spikes = F.dropout(spikes, self.spike_dropout, training=self.training)
        coarse = self.spike_encoder.logits(spikes)
        out: Tensor = self.autoencoder(coarse.sigmoid())
        return squash(out + coarse / 2 if self.output_skip else out)
