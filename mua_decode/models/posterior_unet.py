"""A decoder that starts as the strongest recogniser and learns what that cannot know."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.models.floor import Batches
from mua_decode.models.posterior import PosteriorDecoder
from mua_decode.nn import (
    Route,
    SpikeEncoder,
    VideoAutoencoder,
    as_skip,
    check_input,
    check_sizes,
)

_MEMORY = ("smallest", "evidence", "bias", "videos")


class PosteriorUNet(nn.Module):
    """Posterior over the trained conditions, the mean of their videos, and a U-Net's correction.

    All bins of a trial are weighed before a frame is formed: linear evidence for each of the L
    trained conditions, a softmax, and the videos mixed by it. :meth:`start` fills these in from
    :class:`mua_decode.models.posterior.PosteriorDecoder`, so that training begins at the strongest
    recogniser instead of at chance, and the validation loss keeps whatever does not improve it.
    Training then changes the evidence (which the recogniser takes from every site and bin as if
    independent) and the videos, and adds a correction: spike encoder and U-Net as in
    :class:`mua_decode.models.VideoUNet`, scaled by one number a channel that starts at 0
    (SkipInit, De & Smith, arXiv 2002.10444), so that what single bins say of single frames, and
    what differs between trials of a condition, can be learnt on top.

    Frames (C, H, W) of any size are served. Raises ValueError on sizes below 1, even kernels, a
    wrong number of kernels or pools, or an unknown name.

    Parameters
    ----------
    width, kernel_sizes, time_pools, space_pools, spike_hidden, skip_connections, kernels
        Of the correction, as in :class:`mua_decode.models.VideoUNet`.
    spike_dropout
        Chance, in [0, 1), that a count is silenced in training: to the site's smallest activity in
        the evidence, to its mean in the correction.
    shrinks, temperatures
        Of the posterior that it starts from.
    pace
        How fast evidence and videos change, relative to the rest of the network, as shares of
        their own standard deviation per unit of the weights that are trained.
    """

    smallest: Tensor
    evidence: Tensor
    bias: Tensor
    videos: Tensor
    bias_change: Tensor

    def __init__(
        self,
        n_sites: int,
        n_bins: int,
        frame_shape: tuple[int, int, int],
        *,
        width: int = 16,
        kernel_sizes: tuple[int, ...] = (5, 3, 3, 3),
        time_pools: tuple[int, ...] | None = None,
        space_pools: tuple[int | tuple[int, int], ...] = (2, 2, 2, 2),
        spike_hidden: int = 512,
        spike_dropout: float = 0.0,
        skip_connections: bool | str = "add",
        kernels: Route = "auto",
        shrinks: Sequence[float] = (0.1,),
        temperatures: Sequence[float] = (1.0,),
        pace: float = 0.3,
    ) -> None:
        super().__init__()
        self.frame_shape = check_sizes(n_sites, n_bins, frame_shape)
        self.n_sites, self.n_bins = n_sites, n_bins
        if not 0 <= spike_dropout < 1:
            raise ValueError(f"spike_dropout: expected a number in [0, 1), found {spike_dropout}")
        if pace < 0:
            raise ValueError(f"pace: expected a number >= 0, found {pace}")
        self.spike_dropout, self.pace = spike_dropout, pace
        self._floor = partial(PosteriorDecoder, shrinks=shrinks, temperatures=temperatures)
        self._floor()  # checks both
        self._hold(torch.zeros(n_sites), torch.zeros(1, n_bins * n_sites), torch.zeros(1))
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
        self.gain = nn.Parameter(torch.zeros(self.frame_shape[0], 1, 1, 1))

    def _hold(
        self, smallest: Tensor, evidence: Tensor, bias: Tensor, videos: Tensor | None = None
    ) -> None:
        """Keep a posterior of L conditions, and as many changes to it that are trained."""
        channels, height, width = self.frame_shape
        shape = (len(evidence), channels, self.n_bins, height, width)
        self.register_buffer("smallest", smallest)
        self.register_buffer("evidence", evidence)
        self.register_buffer("bias", bias)
        self.register_buffer("videos", torch.full(shape, 0.5) if videos is None else videos)
        for name in ("evidence", "bias", "videos"):
            now = self.get_buffer(name)
            self.register_parameter(f"{name}_change", nn.Parameter(torch.zeros_like(now)))

    def start(self, train: Batches, val: Batches, videos: Tensor) -> None:
        """Begin as the posterior of the training part; arguments as in ``Floor.fit``."""
        floor = self._floor()
        floor.fit(train, val, videos)
        weight, bias = floor.weights
        self._hold(floor.smallest, weight, bias, videos[floor.trained].float())

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take as many conditions as the weights have."""
        kept = [state[prefix + name] for name in _MEMORY if prefix + name in state]
        if len(kept) == len(_MEMORY) and kept[1].shape[1:] == self.evidence.shape[1:]:
            self._hold(*(torch.empty_like(k, device=self.evidence.device) for k in kept))
        super()._load_from_state_dict(state, prefix, *rest)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """Shape (channels, T', H', W') of the latent of the correction."""
        return self.autoencoder.latent_shape

    def probabilities(self, spikes: Tensor) -> Tensor:
        """Return the probability of every trained condition given `spikes` (B, T, N): (B, L)."""
        check_input(spikes, (self.n_bins, self.n_sites), name="spikes", axes="(B, T, N)")
        above = (spikes - self.smallest).clamp(min=0)
        above = F.dropout(above, self.spike_dropout, training=self.training).flatten(1)
        weight = self.evidence + self._change("evidence")
        return F.linear(above, weight, self.bias + self.bias_change).softmax(1)

    def _change(self, name: str) -> Tensor:
        return self.pace * self.get_buffer(name).std() * self.get_parameter(f"{name}_change")

    def _mixture(self, spikes: Tensor) -> Tensor:
        videos = self.videos + self._change("videos")
        return torch.einsum("bl,lcthw->bcthw", self.probabilities(spikes), videos)

    def _coarse(self, spikes: Tensor, mixture: Tensor) -> Tensor:
        seen = F.dropout(spikes, self.spike_dropout, training=self.training)
        video: Tensor = self.spike_encoder(seen)
        return (video + mixture) / 2

    def encode(self, spikes: Tensor) -> Tensor:
        """Return the latent (B, channels·T'·H'·W') of `spikes` (B, T, N)."""
        return self.autoencoder.encode(self._coarse(spikes, self._mixture(spikes))).flatten(1)

    def forward(self, spikes: Tensor) -> Tensor:
        """Decode `spikes` (B, T, N), standardised counts, to a video (B, C, T, H, W) in [0, 1]."""
        mixture = self._mixture(spikes)
        correction: Tensor = self.autoencoder(self._coarse(spikes, mixture))
        video = mixture + self.gain * correction.tanh()
        # Beyond the bounds there is no gradient to come back by: they are for what is looked at.
        return video if self.training else video.clamp(0, 1)
