"""Does the nearest video share an attribute, its colour say, with the one shown?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mua_decode.metrics.identification import Identification
from mua_decode.metrics.protocol import Shown, check_pair


class AttributeIdentification(Identification):
    """1 if the candidate most similar to the prediction has the attribute of the trial's own.

    Equal winners share the credit, and a constant prediction under correlation gets what guessing
    among the candidates gets, as in :class:`Identification`. Raises ValueError if ``similarity`` is
    unknown, or ``among`` names no condition of the K.

    Parameters
    ----------
    similarity
        ``"correlation"`` or ``"mse"``, as for :class:`Identification`.
    attribute
        Name of the attribute; the metric is called ``ATTRIBUTE_identified``.
    labels
        The attribute of every condition, (K,): names, or numbers.
    among
        Conditions to choose from (default: all). Trials of other conditions are NaN.
    """

    def __init__(
        self,
        *,
        similarity: str,
        attribute: str,
        labels: Sequence[str | float],
        among: Sequence[int] | None = None,
    ) -> None:
        super().__init__(similarity=similarity)
        self.name = f"{attribute}_identified"
        names = [str(label) for label in labels]
        self._label = torch.tensor([names.index(name) for name in names])
        self._among = torch.arange(len(names)) if among is None else torch.tensor(list(among))
        if not len(self._among) or self._among.min() < 0 or self._among.max() >= len(names):
            raise ValueError(
                f"{self.name}: among must name conditions of 0..{len(names) - 1}, found {among}"
            )

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the credit of every trial, (B,) in [0, 1]; NaN if a predicted pixel is NaN."""
        check_pair(predicted, shown)
        if len(shown.candidates) != len(self._label):
            raise ValueError(
                f"{self.name}: {len(self._label)} labels for {len(shown.candidates)} candidates"
            )
        prepared = self._prepared(self._candidates(shown.candidates))
        winner, undecided, broken = self._nearest(predicted, prepared)
        same = prepared.same[winner]
        own = self._label[shown.condition.long().cpu()].to(predicted.device)
        matches = own[:, None] == self._label[self._among].to(predicted.device)
        credit = (same & matches).sum(1) / same.sum(1)
        credit = torch.where(undecided, matches.float().mean(1), credit)
        asked = torch.isin(shown.condition.long().cpu(), self._among).to(predicted.device)
        return credit.masked_fill(broken | ~asked, float("nan"))

    def _candidates(self, candidates: Tensor) -> Tensor:
        if len(self._among) == len(candidates):
            return candidates
        return candidates[self._among.to(candidates.device)]
