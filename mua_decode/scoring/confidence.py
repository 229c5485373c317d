"""How sure an identification is, and how right the surer ones are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.metrics import Identification, Shown
from mua_decode.metrics.pixel_correlation import unit_rows

SHARES = tuple(round(0.1 * k, 1) for k in range(1, 11))
_SLOPES = np.geomspace(1, 1e5, 101)


@dataclass(frozen=True, eq=False)
class Confidence:
    """Identified trials with how sure they are.

    Parameters
    ----------
    slope
        Of the logits on Pearson's r, from validation trials.
    log_odds
        Float (B,): log odds of the likeliest candidate, by which trials are put in order.
    credit
        Float (B,): 1 where the trial was identified right, 1/m among m equal candidates.
    """

    slope: float
    log_odds: np.ndarray
    credit: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """Stated probability that the identification is right, (B,)."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds)))

    def curve(self, *, part: str) -> pd.DataFrame:
        """Accuracy of the surest trials, by the share that is kept."""
        order = np.argsort(-self.log_odds, kind="stable")
        rows = []
        for share in SHARES:
            kept = order[: max(1, round(share * len(order)))]
            rows.append({
                "part": part, "kept": share, "accuracy": self.credit[kept].mean(),
                "confidence": self.probability[kept].mean(),
                "least_confidence": self.probability[kept[-1]],
                "n": len(kept), "n_unit": "pseudo-trials",
            })  # fmt: skip
        return pd.DataFrame(rows)


@torch.inference_mode()
def confidence(
    decode: Callable[[Batch], Tensor],
    val: Iterable[Batch],
    batches: Iterable[Batch],
    candidates: Tensor,
) -> Confidence:
    """State how sure it is which of K candidates (K, C, T, H, W) a decoded video shows.

    A softmax over Pearson's r with the candidates; its slope is the one with the largest log
    probability of the true condition over validation trials (temperature scaling, Guo et al. 2017,
    arXiv 1706.04599). The candidate named is the one that ``identification`` names.
    """
    r, condition, _ = _similarities(decode, val, candidates)
    own = torch.arange(len(r)), condition
    loss = [-float((slope * r).log_softmax(1)[own].sum()) for slope in _SLOPES]
    slope = float(_SLOPES[int(np.argmin(loss))])
    r, _, credit = _similarities(decode, batches, candidates)
    logits = slope * r
    best = logits.argmax(1, keepdim=True)
    others = logits.scatter(1, best, -torch.inf).logsumexp(1)
    odds = logits.gather(1, best)[:, 0] - others
    return Confidence(slope, odds.numpy(), credit.numpy())


def _similarities(
    decode: Callable[[Batch], Tensor], batches: Iterable[Batch], candidates: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Pearson's r (B, K) float64, conditions and credits (B,)."""
    identification = Identification(similarity="correlation")
    rows, found = unit_rows(candidates), []
    for batch in batches:
        video, condition = decode(batch).cpu().float(), batch.condition.cpu().long()
        shown = Shown(video=batch.video.cpu(), condition=condition, candidates=candidates)
        credit = identification(video, shown).double()
        found.append((unit_rows(video) @ rows.T, condition, credit))
    r, condition, credit = (torch.cat(column) for column in zip(*found, strict=True))
    return r, condition, credit
