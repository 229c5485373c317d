"""The strongest recogniser: how likely every condition is, and the video that is to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mua_decode.models.floor import Batches, Repeats, require_fitted, stream
from mua_decode.models.held_out import HeldOutRates
from mua_decode.models.uncertain import mixture_variance

_SMALLEST = 1e-3  # of a site's mean rate: a bin without a spike in training is no proof
_UNTUNED = 1e-6  # of a site's variance: noise below it is rounding


@dataclass(frozen=True, eq=False)
class _Rates:
    """Activity above a site's smallest, float64; L trained conditions."""

    smallest: Tensor  # (N,) smallest activity seen
    rate: Tensor  # (L, T, N) mean of every condition
    common: Tensor  # (T, N) mean over conditions, > 0
    weight: Tensor  # (N,) mean over variance within conditions: 1 / s.d. unit where Poisson

    def of_recorded(self, mean: Tensor) -> _Rates:
        """The same with rates from the means (L, T, N) of recorded trials, where there are any."""
        rate = torch.where(mean.isnan(), self.rate, (mean - self.smallest).clamp(min=0))
        common = rate.mean(0) + _SMALLEST * rate.mean((0, 1))
        return replace(self, rate=rate, common=torch.where(self.weight > 0, common, 1))

    def held_out(self, shrink: float, temperature: float, number: Tensor) -> HeldOutRates:
        """Shrunk rates that can do without a trial; `number` (L, N) recorded trials each."""
        rate = (1 - shrink) * self.rate + shrink * self.common
        share = self.common.new_tensor(shrink)
        return HeldOutRates(rate, self.common, share, self.weight / temperature, number)

    def model(self, shrink: float) -> tuple[Tensor, Tensor]:
        """Weights (L, T*N) and biases (L,) of the log likelihood, less that of ``common``."""
        rate = (1 - shrink) * self.rate + shrink * self.common
        weight = self.weight * (rate / self.common).log()
        bias = (self.weight * (self.common - rate)).sum((1, 2))
        return weight.flatten(1), bias


class PosteriorDecoder:
    """Naive Bayes over the trained conditions; returns the posterior mean of their videos.

    Activity in a bin is taken as Poisson with a rate per condition, bin and site, sites and bins
    as independent given the condition, conditions as equally frequent. Standardised counts serve:
    a site's smallest activity in training stands for no spike, and the ratio of mean to variance
    within conditions for its unit, so that a site that varies more than Poisson counts for less
    (quasi-likelihood, McCullagh and Nelder, Generalized Linear Models, 1989, ch. 9). Rates are
    shrunk towards their mean over conditions; the share that is shrunk and the temperature of the
    posterior, which corrects for bins and sites that are not independent, are those with the
    largest log posterior of the true condition on validation trials (without any: the first of
    each). No network that names conditions knows more than this from first-order responses, and
    it can only return mixtures of videos of trained conditions. Raises ValueError if a share is
    not in (0, 1), or a temperature not positive.

    Parameters
    ----------
    shrinks
        Shares to choose from.
    temperatures
        Temperatures to choose from; 1 is the posterior as it is, larger ones flatten it.
    """

    name = "posterior"

    def __init__(self, *, shrinks: Sequence[float], temperatures: Sequence[float]) -> None:
        if not shrinks or not all(0 < s < 1 for s in shrinks):
            raise ValueError(f"posterior: shrinks must lie in (0, 1), found {list(shrinks)}")
        if not temperatures or min(temperatures) <= 0:
            raise ValueError(
                f"posterior: temperatures must be positive, found {list(temperatures)}"
            )
        self.shrinks = tuple(float(s) for s in shrinks)
        self.temperatures = tuple(float(t) for t in temperatures)
        self.shrink = self.shrinks[0]
        self.temperature = self.temperatures[0]
        self._fitted: _Rates | None = None
        self._trained: Tensor | None = None  # (L,) conditions with training trials
        self._smallest: Tensor | None = None  # (N,)
        self._weight: Tensor | None = None  # (L, T*N)
        self._bias: Tensor | None = None  # (L,)
        self._videos: Tensor | None = None  # (L, C*T*H*W)
        self._shape: tuple[int, ...] = ()

    def fit(
        self, train: Batches, val: Batches, videos: Tensor, repeats: Repeats | None = None
    ) -> None:
        """Take rates in one pass, choose shrinkage and temperature in another.

        With `repeats`, rates are means of recorded trials, blurred by no draw of pseudo-trials.
        """
        rates = self._rates(train, videos)
        if repeats is not None:
            rates = rates.of_recorded(repeats.mean[self.trained].to(rates.rate))
        models = {s: rates.model(s) for s in self.shrinks}
        loss, n = self._losses(val, videos, rates.smallest, models)
        if n:
            best = int(loss.argmin())
            self.shrink = self.shrinks[best // len(self.temperatures)]
            self.temperature = self.temperatures[best % len(self.temperatures)]
        weight, bias = models[self.shrink]
        self._fitted = rates
        self._smallest = rates.smallest.float()
        self._weight = (weight / self.temperature).float()
        self._bias = (bias / self.temperature).float()
        self._videos = videos[self.trained].flatten(1)
        self._shape = tuple(videos.shape[1:])

    @property
    def trained(self) -> Tensor:
        """Conditions with training trials: long (L,)."""
        return require_fitted(self._trained, self.name)

    @property
    def smallest(self) -> Tensor:
        """The smallest activity of every site in training: (N,)."""
        return require_fitted(self._smallest, self.name)

    @property
    def weights(self) -> tuple[Tensor, Tensor]:
        """Weights (L, T*N) and biases (L,) of the logits, of activity above ``smallest``."""
        return require_fitted(self._weight, self.name), require_fitted(self._bias, self.name)

    def held_out(self, repeats: Repeats) -> HeldOutRates:
        """Rates as fitted, with the recorded trials behind them; unit over temperature."""
        assert self._fitted is not None, "not fitted"
        number = repeats.number[self.trained].to(self._fitted.rate)
        return self._fitted.held_out(self.shrink, self.temperature, number)

    def posterior(self, spikes: Tensor) -> Tensor:
        """Return the probability of every trained condition given spikes (B, T, N): (B, L)."""
        weight, bias = self.weights
        above = (spikes.to(weight) - self.smallest).clamp(min=0).flatten(1)
        return (above @ weight.T + bias).softmax(1)

    def predict(self, spikes: Tensor) -> Tensor:
        """Return the posterior mean of the trained videos: (B, C, T, H, W) in [0, 1]."""
        videos = require_fitted(self._videos, self.name)
        return (self.posterior(spikes).to(videos) @ videos).view(-1, *self._shape).clamp(0, 1)

    def variance(self, spikes: Tensor) -> Tensor:
        """Variance of every pixel under the posterior: (B, C, T, H, W)."""
        videos = require_fitted(self._videos, self.name).view(-1, *self._shape)
        return mixture_variance(self.posterior(spikes).to(videos), videos)

    def _rates(self, train: Batches, videos: Tensor) -> _Rates:
        count = torch.zeros(len(videos), dtype=torch.float64, device=videos.device)
        total = square = smallest = torch.zeros(0)
        for spikes, condition in stream(train, videos):
            x = spikes.double()
            if not len(total):
                total = count.new_zeros(len(videos), *x.shape[1:])
                square, smallest = count.new_zeros(x.shape[2:]), x.amin((0, 1))
            total.index_add_(0, condition, x)
            square += x.square().sum((0, 1))
            smallest = torch.minimum(smallest, x.amin((0, 1)))
            count += torch.bincount(condition, minlength=len(videos))
        if not count.any():
            raise ValueError(f"floor '{self.name}': no training trial")
        self._trained = torch.nonzero(count)[:, 0]
        count, total = count[self._trained], total[self._trained]
        n = count.sum() * total.shape[1]
        mean = total / count[:, None, None]
        within = (square - (count[:, None, None] * mean.square()).sum((0, 1))) / n
        spread = square / n - (total.sum((0, 1)) / n).square()
        rate = mean - smallest
        site = rate.mean((0, 1))
        varies = spread > 1e-9 * (square / n)
        weight = torch.where(varies, site / torch.maximum(within, _UNTUNED * spread), 0)
        common = rate.mean(0) + _SMALLEST * site
        return _Rates(smallest, rate, torch.where(varies, common, 1), weight.nan_to_num(0))

    def _losses(
        self,
        val: Batches,
        videos: Tensor,
        smallest: Tensor,
        models: dict[float, tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, int]:
        """Sum of -log posterior of the true condition, (shrinks * temperatures,), and trials."""
        place = torch.full((len(videos),), -1, device=videos.device)
        place[self.trained] = torch.arange(len(self.trained), device=videos.device)
        heat = torch.tensor(self.temperatures, dtype=torch.float64, device=videos.device)
        loss, n = smallest.new_zeros(len(models), len(heat)), 0
        for spikes, condition in stream(val, videos):
            known = place[condition] >= 0
            above = (spikes[known].double() - smallest).clamp(min=0).flatten(1)
            true = place[condition[known]]
            n += len(true)
            for i, (weight, bias) in enumerate(models.values()):
                logits = (above @ weight.T + bias) / heat[:, None, None]
                picked = logits.log_softmax(2).gather(2, true.expand(len(heat), -1)[..., None])
                loss[i] -= picked.sum((1, 2))
        return loss.flatten(), n
