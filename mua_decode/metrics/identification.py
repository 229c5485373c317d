"""Which of the K videos is the reconstruction closest to?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mua_decode.metrics.candidate_cache import CandidateCache
from mua_decode.metrics.pixel_correlation import is_constant
from mua_decode.metrics.protocol import Shown, check_pair

SIMILARITIES = ("correlation", "mse")
_SAME = 1e-12  # mean squared difference below which two candidates are one: float32 rounding


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Candidates such that the nearest to a flat video p is the largest of p @ weight.T + bias."""

    weight: Tensor  # (K, D) float32
    bias: Tensor  # (K,) float32
    same: Tensor  # (K, K) bool, candidates that cannot be told apart in this slice


def _prepare(candidates: Tensor, similarity: str) -> _Prepared:
    """Flatten the candidates (K, C, T, H, W) and make them comparable with one product.

    Pearson's r with p orders candidates as <p, c> with c centred and of unit length, whatever
    the mean and the length of p; the squared error orders them as <p, c> - |c|²/2. Taking the
    mean candidate away from each shifts all scores of a trial alike and keeps float32 exact
    enough for candidates that differ little.
    """
    flat = candidates.flatten(1).double()
    scale = float(flat.shape[1])
    if similarity == "correlation":
        constant = is_constant(candidates.flatten(1))
        flat = flat - flat.mean(1, keepdim=True)
        flat = flat / torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        flat[constant] = 0  # no covariance with anything: similarity 0
        scale = 1.0
    middle = flat.mean(0)
    flat = flat - middle
    gram = flat @ flat.T
    square = gram.diagonal()
    bias = torch.zeros_like(square)
    if similarity == "mse":
        bias = -flat @ middle - square / 2
    same = (square[:, None] + square[None] - 2 * gram) / scale <= _SAME
    same.fill_diagonal_(True)
    return _Prepared(weight=flat.float(), bias=bias.float(), same=same)


class Identification:
    """1 if the candidate most similar to the prediction is the trial's own condition.

    Candidates that are equal in the slice given (all conditions share the fixation frames, say)
    share the credit: 1/m if the trial's own is among m equal winners. With correlation, videos that
    differ only in brightness and contrast are equal, a candidate that is constant has similarity 0,
    and a constant prediction, which is similar to none, gets 1/K. The mean over trials is the K-way
    accuracy, and guessing scores 1/K in every slice. Raises ValueError if ``similarity`` is
    another.

    Parameters
    ----------
    similarity
        ``"correlation"`` (Pearson over all pixels) or ``"mse"`` (smallest squared error).
    """

    unit = "fraction of trials"
    higher_is_better = True
    segment = None

    def __init__(self, *, similarity: str) -> None:
        if similarity not in SIMILARITIES:
            raise ValueError(
                f"identification: similarity must be one of {', '.join(SIMILARITIES)}, "
                f"found '{similarity}'"
            )
        self.similarity = similarity
        self.name = "identification" if similarity == "correlation" else "identification_mse"
        self._prepared = CandidateCache(lambda candidates: _prepare(candidates, similarity))

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the credit of every trial, (B,) in [0, 1]; NaN if a predicted pixel is NaN."""
        check_pair(predicted, shown)
        prepared = self._prepared(shown.candidates)
        winner, undecided, broken = self._nearest(predicted, prepared)
        same = prepared.same[winner]
        own = same.gather(1, shown.condition.long()[:, None])[:, 0]
        credit = own / same.sum(1)
        credit = credit.masked_fill(undecided, 1 / len(shown.candidates))
        return credit.masked_fill(broken, float("nan"))

    def predicted_condition(self, predicted: Tensor, candidates: Tensor) -> Tensor:
        """Return the most similar candidate (K, C, T, H, W) of every trial (B, C, T, H, W).

        For a confusion matrix; long (B,): the first of equal winners, -1 where no candidate is
        nearest (a constant prediction under correlation, or NaN).
        """
        if predicted.shape[1:] != candidates.shape[1:]:
            raise ValueError(
                f"identification: predicted {tuple(predicted.shape)} and candidates "
                f"{tuple(candidates.shape)} must agree in all but the first axis"
            )
        prepared = self._prepared(candidates)
        winner, undecided, broken = self._nearest(predicted, prepared)
        first = prepared.same[winner].int().argmax(1)
        return first.masked_fill(undecided | broken, -1)

    def _nearest(self, predicted: Tensor, prepared: _Prepared) -> tuple[Tensor, Tensor, Tensor]:
        """Winner (B,) long; undecided (B,) bool: similar to none; broken (B,) bool: NaN inside."""
        flat = predicted.float().flatten(1)
        score = torch.addmm(prepared.bias, flat, prepared.weight.T)
        broken = ~flat.isfinite().all(1)
        undecided = torch.zeros_like(broken)
        if self.similarity == "correlation":
            undecided = is_constant(flat)
        return score.argmax(1), undecided, broken
