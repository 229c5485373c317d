"""A decoder that starts as the strongest recogniser and learns what that cannot know."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.models.floor import Batches, Repeats
from mua_decode.models.held_out import HeldOutRates, learn_gains
from mua_decode.models.posterior import PosteriorDecoder
from mua_decode.models.uncertain import mixture_variance
from mua_decode.models.video_unet import VideoUNet
from mua_decode.nn import Route, check_input

_MEMORY = ("smallest", "evidence", "bias", "videos")
_RATES = ("rate", "common", "shrink", "unit", "number", "row")


class PosteriorUNet(VideoUNet):
    """Posterior over the trained conditions, the mean of their videos, and a U-Net's correction.

    All bins of a trial are weighed before a frame is formed: linear evidence for each of the L
    trained conditions, a softmax, and the videos mixed by it. :meth:`start` fills these in from
    :class:`mua_decode.models.posterior.PosteriorDecoder`, so that training begins at the strongest
    recogniser instead of at chance, and the validation loss keeps whatever does not improve it.
    Where the recorded trials behind the rates are known, the rates are their means, sites are
    weighed (:func:`mua_decode.models.held_out.learn_gains`), and in training no trial is judged by
    rates that its own counts entered, or nothing would be left to learn.
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
    row: Tensor
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
        super().__init__(
            n_sites,
            n_bins,
            frame_shape,
            width=width,
            kernel_sizes=kernel_sizes,
            time_pools=time_pools,
            space_pools=space_pools,
            spike_hidden=spike_hidden,
            spike_dropout=spike_dropout,
            skip_connections=skip_connections,
            kernels=kernels,
        )
        if pace < 0:
            raise ValueError(f"pace: expected a number >= 0, found {pace}")
        self.pace = pace
        self._floor = partial(PosteriorDecoder, shrinks=shrinks, temperatures=temperatures)
        self._floor()  # checks both
        self._hold(torch.zeros(n_sites), torch.zeros(1, n_bins * n_sites), torch.zeros(1))
        self._keep_rates(None, torch.zeros(1, dtype=torch.long))
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

    def _keep_rates(self, rates: HeldOutRates | None, row: Tensor) -> None:
        """Keep what a trial's own counts are taken from; ``None``: it is not known."""
        n, t, m = len(self.evidence), self.n_bins, self.n_sites
        blank = self.evidence.new_ones
        kept = rates or HeldOutRates(
            blank(n, t, m), blank(t, m), blank(()) / 2, blank(m), blank(n, m) * 0
        )
        for name in _RATES[:-1]:
            self.register_buffer(name, getattr(kept, name).float())
        self.register_buffer("row", row)

    def start(
        self, train: Batches, val: Batches, videos: Tensor, repeats: Repeats | None = None
    ) -> None:
        """Begin as the posterior of the training part; arguments as in ``Starts.start``."""
        floor = self._floor()
        floor.fit(train, val, videos, repeats)
        trained = floor.trained
        row = torch.full((len(videos),), -1, device=trained.device)
        row[trained] = torch.arange(len(trained), device=trained.device)
        rates = None if repeats is None else floor.held_out(repeats)
        weight, bias = floor.weights
        if rates is not None:
            rates = rates.weighed(learn_gains(rates, floor.smallest, row, train, val))
            weight, bias = rates.evidence()
        self._hold(floor.smallest, weight.float(), bias.float(), videos[trained].float())
        self._keep_rates(rates, row)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take as many conditions as the weights have; earlier weights know no rates."""
        kept = [state[prefix + name] for name in _MEMORY if prefix + name in state]
        if len(kept) == len(_MEMORY) and kept[1].shape[1:] == self.evidence.shape[1:]:
            self._hold(*(torch.empty_like(k, device=self.evidence.device) for k in kept))
            row = state.get(prefix + "row", torch.full((1,), -1))
            self._keep_rates(None, torch.empty_like(row, device=self.evidence.device))
            for name in _RATES:
                state.setdefault(prefix + name, row if name == "row" else self.get_buffer(name))
        super()._load_from_state_dict(state, prefix, *rest)

    def probabilities(self, spikes: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the probability of every trained condition given `spikes` (B, T, N): (B, L).

        With their `condition`, long (B,), that of trials which the rates have not seen.
        """
        check_input(spikes, (self.n_bins, self.n_sites), name="spikes", axes="(B, T, N)")
        above = (spikes - self.smallest).clamp(min=0)
        seen = F.dropout(above, self.spike_dropout, training=self.training)
        weight = self.evidence + self._change("evidence")
        logits = F.linear(seen.flatten(1), weight, self.bias + self.bias_change)
        if condition is not None and len(self.row) > int(condition.max()):
            row = self.row[condition.long()]
            known = row >= 0
            rates = HeldOutRates(*(self.get_buffer(name) for name in _RATES[:-1]))
            own = rates.own(above[known], row[known], seen[known]) @ rates.unit
            logits = logits.index_put((known.nonzero()[:, 0], row[known]), own, accumulate=True)
        return logits.softmax(1)

    def _change(self, name: str) -> Tensor:
        return self.pace * self.get_buffer(name).std() * self.get_parameter(f"{name}_change")

    def _mixture(self, spikes: Tensor, condition: Tensor | None = None) -> Tensor:
        videos = self.videos + self._change("videos")
        return torch.einsum("bl,lcthw->bcthw", self.probabilities(spikes, condition), videos)

    def _coarse(self, spikes: Tensor, mixture: Tensor) -> Tensor:
        seen = F.dropout(spikes, self.spike_dropout, training=self.training)
        video: Tensor = self.spike_encoder(seen)
        return (video + mixture) / 2

    def encode(self, spikes: Tensor) -> Tensor:
        """Return the latent (B, channels·T'·H'·W') of `spikes` (B, T, N)."""
        return self.autoencoder.encode(self._coarse(spikes, self._mixture(spikes))).flatten(1)

    def variance(self, spikes: Tensor) -> Tensor:
        """Variance of every pixel under the posterior: (B, C, T, H, W)."""
        videos = self.videos + self._change("videos")
        return mixture_variance(self.probabilities(spikes), videos)

    def forward(self, spikes: Tensor, condition: Tensor | None = None) -> Tensor:
        """Decode `spikes` (B, T, N), standardised counts, to a video (B, C, T, H, W) in [0, 1].

        With the `condition` of training trials, as if they had not been trained on.
        """
        mixture = self._mixture(spikes, condition)
        correction: Tensor = self.autoencoder(self._coarse(spikes, mixture))
        video = mixture + self.gain * correction.tanh()
        # Beyond the bounds there is no gradient to come back by: they are for what is looked at.
        return video if self.training else video.clamp(0, 1)

    def without_own(self, spikes: Tensor, condition: Tensor) -> Tensor:
        """Decode training trials as if none had been trained on; as :meth:`forward` with both."""
        video: Tensor = self(spikes, condition)
        return video
