"""Is a held-out correlation more than chance? Images are permuted and everything is refitted."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mua_decode.analyses.axis.ridge import Blocks, Moments, RidgeDesign

_ROWS = 800  # rows of a product: permutations are stacked up to so many
_TARGETS = 4000  # sites times permutations solved together


def permutation_p(
    x: np.ndarray,
    y: np.ndarray,
    blocks: Blocks,
    *,
    n_permutations: int,
    rng: np.random.Generator,
    per_condition: int = 1,
) -> np.ndarray:
    """One-sided permutation p-value of the held-out correlation of every site.

    The images' features are permuted within every inner fold and within the test part, and penalty,
    axis and held-out correlation are computed anew each time: under the hypothesis that responses
    do not depend on images the test is exact (identity included, so p >= 1 / (n + 1)). All sites
    share a permutation. Because blocks keep their images, sums over responses do not change and a
    permutation costs one product X'Y per block. Takes features (M, P) and responses (M, N), of
    which ``per_condition`` rows belong to one condition and move together; float64 (N,), NaN for a
    site whose test responses are constant.
    """
    design = RidgeDesign(x, blocks, dtype=torch.float32)
    parts = _standardised(y, blocks)
    fixed = design.moments(parts)
    observed = design.solve(fixed)[3]
    n_features, n_sites = x.shape[1], y.shape[1]
    larger = torch.zeros(n_sites, dtype=torch.long)
    batch = max(1, min(_ROWS // n_features, _TARGETS // n_sites))
    for start in range(0, n_permutations, batch):
        now = min(batch, n_permutations - start)
        cross = [
            (_permuted(block, now, per_condition, rng) @ part)
            .view(now, n_features, n_sites)
            .transpose(0, 1)
            .reshape(n_features, now * n_sites)
            for block, part in zip(design.x, parts, strict=True)
        ]
        # Every permutation of every site is one more target of the same fit.
        total, square = ([v.repeat(now) for v in m] for m in (fixed.total, fixed.square))
        found = design.solve(Moments(cross, total, square))[3].view(now, n_sites)
        larger += (found >= observed).sum(0)
    p = (1 + larger.numpy()) / (1 + n_permutations)
    return np.where(np.ptp(y[blocks.test], axis=0) == 0, np.nan, p)


def _standardised(y: np.ndarray, blocks: Blocks) -> list[Tensor]:
    """Blocks of responses with zero mean and unit variance over training, float32."""
    train = blocks.train
    mean, sd = y[train].mean(axis=0), y[train].std(axis=0)
    sd = np.where(sd > 0, sd, 1)
    rows = (*blocks.inner, blocks.test)
    return [torch.from_numpy(((y[b] - mean) / sd).astype(np.float32)) for b in rows]


def _permuted(block: Tensor, n: int, together: int, rng: np.random.Generator) -> Tensor:
    """Stack ``n`` permutations of the rows of a block, transposed: (n * P, M)."""
    groups = len(block) // together
    within, columns = np.arange(together), block.T.contiguous()
    out = torch.empty(n, block.shape[1], len(block))
    for i in range(n):
        order = (rng.permutation(groups)[:, None] * together + within).ravel()
        out[i] = columns[:, torch.from_numpy(order)]
    return out.view(-1, len(block))
