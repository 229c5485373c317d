"""What a recorded trial adds to the rates it is judged by, taken away; sites weighed by it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.models.floor import Batches

_STEPS, _BATCH, _RATE, _PENALTY = 150, 128, 0.02, 0.1  # of the gains
_TRIALS = 2048  # that they are fitted on


@dataclass(frozen=True, eq=False)
class HeldOutRates:
    """Poisson rates of L conditions that can do without a trial's own counts.

    Parameters
    ----------
    rate, common
        (L, T, N) shrunk rates, and (T, N) what they are shrunk towards; > 0.
    shrink
        The share, () in (0, 1).
    unit
        (N,): log likelihood of a site per count, see
        :class:`mua_decode.models.posterior.PosteriorDecoder`.
    number
        (L, N): recorded trials that a rate is the mean of.
    """

    rate: Tensor
    common: Tensor
    shrink: Tensor
    unit: Tensor
    number: Tensor

    def weighed(self, gains: Tensor) -> HeldOutRates:
        """The same with the unit of every site times its gain, (N,)."""
        return replace(self, unit=self.unit * gains)

    def evidence(self) -> tuple[Tensor, Tensor]:
        """Weights (L, T*N) and biases (L,) of the log likelihoods, less that of ``common``."""
        weight = self.unit * (self.rate / self.common).log()
        return weight.flatten(1), (self.unit * (self.common - self.rate)).sum((1, 2))

    def by_site(self, above: Tensor) -> Tensor:
        """Log likelihoods (B, L, N) of counts (B, T, N), site by site, each per ``unit`` of 1."""
        logs = (self.rate / self.common).log()
        return torch.einsum("btn,ltn->bln", above, logs) + (self.common - self.rate).sum(1)

    def own(self, above: Tensor, row: Tensor, weighed: Tensor | None = None) -> Tensor:
        """What the log likelihood of a trial's own condition changes without the trial: (B, N).

        The mean of n trials without x is (n·mean - x) / (n - 1); where the trial is the only one,
        ``common`` is what remains. Per ``unit`` of 1.

        Parameters
        ----------
        row
            long (B,): place of its condition among the L.
        weighed
            (B, T, N): the counts that are judged, where they are not all of ``above``.
        """
        rate, number = self.rate[row], self.number[row][:, None]
        least = self.shrink * self.common
        without = rate + (rate - least - (1 - self.shrink) * above) / (number - 1).clamp(min=1)
        without = torch.maximum(without, least)
        without = torch.where(number > 1, without, self.common)
        judged = above if weighed is None else weighed
        change = judged * (without / rate).log() + rate - without
        return (change * (number > 0)).sum(1)


def learn_gains(
    rates: HeldOutRates, smallest: Tensor, row: Tensor, train: Batches, val: Batches
) -> Tensor:
    """Weigh sites by what they tell of trials whose own counts are left out: gains (N,) > 0.

    Naive Bayes takes sites as independent, and their counts as Poisson: sites that repeat one
    another, or drift, count too much. Log gains, and one for all, minimise -log posterior of the
    true condition (Adam, 150 steps of 128 trials) and a tenth of their mean square; they are kept
    if -log posterior is smaller on validation trials too, else all are 1.

    Parameters
    ----------
    smallest
        (N,): smallest activity of every site.
    row
        long (K,): place of every condition among the L, -1 where it was not trained.
    """
    logits, own = _by_site(rates, smallest, row, train, left_out=True)
    seen, true = _by_site(rates, smallest, row, val, left_out=False)
    found = _fitted(logits, own)
    plain = torch.ones_like(found)
    if not len(true) or not found.isfinite().all():
        return plain.to(rates.unit)
    losses = [float(F.cross_entropy(seen @ gains, true)) for gains in (plain, found)]
    return (found if losses[1] < losses[0] else plain).to(rates.unit)


def _fitted(logits: Tensor, true: Tensor) -> Tensor:
    """Gains (N,) from log likelihoods (B, L, N) and the true conditions (B,)."""
    draw = torch.Generator().manual_seed(0)
    gain = logits.new_zeros(logits.shape[2]).requires_grad_()
    whole = logits.new_zeros(()).requires_grad_()
    optimizer = torch.optim.Adam([gain, whole], lr=_RATE)
    with torch.enable_grad():
        for _ in range(_STEPS):
            some = torch.randint(len(true), (_BATCH,), generator=draw).to(true.device)
            loss = F.cross_entropy(logits[some] @ (gain + whole).exp(), true[some])
            loss = loss + _PENALTY * gain.square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return (gain + whole).exp().detach()


def _by_site(
    rates: HeldOutRates, smallest: Tensor, row: Tensor, batches: Batches, *, left_out: bool
) -> tuple[Tensor, Tensor]:
    """Log likelihoods (B, L, N), float32, of about 2048 trials, and the places of the true ones."""
    shape = (0, len(rates.rate), len(smallest))
    found, true = [rates.unit.new_zeros(shape).float()], [row.new_zeros(0)]
    stride = max(1, round(sum(len(c) for _, c in batches()) / _TRIALS))
    for spikes, condition in batches():
        place = row[condition[::stride].to(row.device).long()]
        above = (spikes[::stride].to(smallest).double() - smallest).clamp(min=0)[place >= 0]
        place = place[place >= 0]
        logits = rates.by_site(above)
        if left_out:
            logits[torch.arange(len(place)), place] += rates.own(above, place)
        found.append((logits * rates.unit).float())
        true.append(place)
    return torch.cat(found), torch.cat(true)
