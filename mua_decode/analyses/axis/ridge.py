"""Ridge regression of all sites at once, penalty per site by cross-validation inside training.

Everything the fit, the choice of the penalty and the held-out correlation need of the responses
are their products with the features, block by block of images: X'Y (P, N), and sums. So a fit
of N sites costs one pass over the data, and a permutation costs another (see ``permutation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.types import InputError

# Relative to the mean eigenvalue of X'X of the training images.
PENALTIES = tuple(float(10**e) for e in np.arange(-4, 2.01, 0.5))
_TARGETS = 200  # solved together when errors are computed: they stay in the cache


@dataclass(frozen=True, eq=False)
class Blocks:
    """Images in blocks: inner folds of the training part, then the test part."""

    inner: tuple[np.ndarray, ...]  # indices, one array per fold; together the training images
    test: np.ndarray

    @property
    def train(self) -> np.ndarray:
        """All training images."""
        return np.concatenate(self.inner)


@dataclass(frozen=True, eq=False)
class Moments:
    """What the fit needs of the responses, per block: X'Y, sum and sum of squares of Y."""

    cross: list[Tensor]  # (P, N) each
    total: list[Tensor]  # (N,)
    square: list[Tensor]  # (N,)


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """Solution for N targets: ``y = x @ weight + intercept``."""

    weight: np.ndarray  # (P, N)
    intercept: np.ndarray  # (N,)
    penalty: np.ndarray  # (N,): the chosen one, relative to the mean eigenvalue
    correlation: np.ndarray  # (N,): of prediction and response on the test images, Pearson's

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict (M, N) from (M, P)."""
        return x @ self.weight + self.intercept


@dataclass(frozen=True, eq=False)
class _Fold:
    """Training blocks of one inner fold, decomposed, and its validation block rotated."""

    mean: Tensor  # (P,)
    vectors: Tensor  # (P, P)
    shrink: Tensor  # (A, P): 1 / (eigenvalue + penalty)
    n: int
    gram: Tensor  # (P, P): rotated X'X of the validation block about the training mean


class RidgeDesign:
    """All that does not depend on the responses, prepared once.

    Features are (M, P) of all images, ``penalties`` relative to the mean eigenvalue of X'X, all >
    0. The fit takes float64; float32 is enough, and twice as fast, for permutations.
    """

    def __init__(
        self,
        x: np.ndarray,
        blocks: Blocks,
        *,
        penalties: Sequence[float] = PENALTIES,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if len(blocks.inner) < 2 or min(map(len, blocks.inner)) < 2 or len(blocks.test) < 3:
            raise InputError(
                "axis: too few images to cross-validate: need at least two inner folds of two "
                f"images and three test images, found folds of {[len(b) for b in blocks.inner]} "
                f"and {len(blocks.test)} test images"
            )
        if min(penalties) <= 0:
            raise InputError(f"axis: penalties must be > 0, found {min(penalties)}")
        self.penalties = tuple(penalties)
        centre, scale = x[blocks.train].mean(axis=0), x[blocks.train].std() or 1.0
        scaled = torch.from_numpy(np.ascontiguousarray((x - centre) / scale)).to(dtype)
        self.centre, self.scale, self.dtype = centre, float(scale), dtype
        self.x = [scaled[torch.from_numpy(b)] for b in (*blocks.inner, blocks.test)]
        self._sum = [b.sum(0) for b in self.x]
        self._gram = [b.T @ b for b in self.x]
        self.size = [len(b) for b in self.x]
        n_inner = len(blocks.inner)
        self._folds = [
            self._decompose([j for j in range(n_inner) if j != k], k) for k in range(n_inner)
        ]
        self._whole = self._decompose(list(range(n_inner)), n_inner)

    def _decompose(self, train: list[int], held_out: int) -> _Fold:
        n = sum(self.size[j] for j in train)
        mean = torch.stack([self._sum[j] for j in train]).sum(0) / n
        gram = torch.stack([self._gram[j] for j in train]).sum(0) - n * torch.outer(mean, mean)
        value, vector = torch.linalg.eigh(gram.double())
        value = value.clamp(min=0)
        penalty = torch.tensor(self.penalties, dtype=torch.float64)[:, None] * value.mean()
        away = self.x[held_out] - (mean if held_out < len(self.x) - 1 else self.x[held_out].mean(0))
        vectors = vector.to(self.dtype)
        rotated = away @ vectors
        return _Fold(mean, vectors, (1 / (value + penalty)).to(self.dtype), n, rotated.T @ rotated)

    def moments(self, y: Sequence[Tensor]) -> Moments:
        """Moments of responses given block by block, (M_k, N) each."""
        return Moments(
            [x.T @ b for x, b in zip(self.x, y, strict=True)],
            [b.sum(0) for b in y],
            [b.square().sum(0) for b in y],
        )

    def solve(self, m: Moments) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return weight (P, N), intercept (N,), index of the penalty (N,), test correlation."""
        error = torch.stack([self._error(k, m) for k in range(len(self._folds))]).sum(0)
        best = error.argmin(0)
        fold, n_inner = self._whole, len(self._folds)
        total = torch.stack(m.total[:n_inner]).sum(0)
        cross = torch.stack(m.cross[:n_inner]).sum(0) - torch.outer(fold.mean, total)
        rotated = fold.shrink[best].T * (fold.vectors.T @ cross)
        weight = fold.vectors @ rotated
        intercept = total / fold.n - fold.mean @ weight
        n_test = self.size[-1]
        held = m.cross[-1] - torch.outer(self._sum[-1], m.total[-1]) / n_test
        covariance = (weight * held).sum(0)
        predicted = (rotated * (fold.gram @ rotated)).sum(0)
        observed = (m.square[-1] - m.total[-1].square() / n_test).clamp(min=0)
        size = (predicted * observed).sqrt()
        # Without variance nothing was predicted: 0, so that a permutation can still be counted.
        r = torch.where(size > 0, covariance / size.clamp(min=1e-30), 0.0)
        return weight, intercept, best, r

    def _error(self, k: int, m: Moments) -> Tensor:
        """Squared error of every penalty on inner fold k, less a constant, (A, N)."""
        fold = self._folds[k]
        others = [j for j in range(len(self._folds)) if j != k]
        total = torch.stack([m.total[j] for j in others]).sum(0)
        cross = torch.stack([m.cross[j] for j in others]).sum(0) - torch.outer(fold.mean, total)
        mean_y = total / fold.n
        held = m.cross[k] - torch.outer(self._sum[k], mean_y)
        held -= torch.outer(fold.mean, m.total[k] - self.size[k] * mean_y)
        c, h = fold.vectors.T @ cross, fold.vectors.T @ held
        parts = []
        for some, with_y in zip(c.split(_TARGETS, 1), h.split(_TARGETS, 1), strict=True):
            u = fold.shrink[:, :, None] * some
            parts.append((fold.gram @ u).sub_(with_y, alpha=2).mul_(u).sum(1))
        return torch.cat(parts, 1)

    def validation_error(self, y: np.ndarray, blocks: Blocks) -> np.ndarray:
        """Squared error of responses (M, N) on the inner folds at each site's best penalty, (N,).

        Relative to the variance of the training responses; NaN for a constant site. The test
        images are not looked at.
        """
        parts, _ = self._centred(y, blocks)
        m = self.moments(parts)
        error = torch.stack([self._error(k, m) for k in range(len(self._folds))]).sum(0).amin(0)
        total = torch.zeros_like(error)
        for k in range(len(self._folds)):
            others = [j for j in range(len(self._folds)) if j != k]
            mean = torch.stack([m.total[j] for j in others]).sum(0) / self._folds[k].n
            total += m.square[k] - 2 * mean * m.total[k] + self.size[k] * mean.square()
        # ``_error`` leaves out what no penalty changes: the error of predicting the mean.
        return torch.where(total > 0, 1 + error / total, torch.nan).double().numpy()

    def _centred(self, y: np.ndarray, blocks: Blocks) -> tuple[list[Tensor], Tensor]:
        """Responses by block, less their mean over training, and that mean (N,)."""
        parts = [torch.from_numpy(y[b]).to(self.dtype) for b in (*blocks.inner, blocks.test)]
        centre = torch.cat(parts[:-1]).mean(0)
        return [p - centre for p in parts], centre

    def fit(self, y: np.ndarray, blocks: Blocks) -> RidgeFit:
        """Fit responses (M, N) and test them on the held-out images."""
        parts, centre = self._centred(y, blocks)
        weight, intercept, best, r = self.solve(self.moments(parts))
        real = weight.double().numpy() / self.scale
        constant = np.ptp(y[blocks.test], axis=0) == 0
        return RidgeFit(
            weight=real,
            intercept=(intercept + centre).double().numpy() - self.centre @ real,
            penalty=np.array(self.penalties)[best.numpy()],
            correlation=np.where(constant, np.nan, r.double().numpy()),
        )


def make_blocks(
    n_conditions: int,
    *,
    test_fraction: float,
    inner_folds: int,
    rng: np.random.Generator,
    per_condition: int = 1,
) -> Blocks:
    """Deal conditions at random to a test part and to inner folds of the training part.

    The ``per_condition`` rows of a condition (its bins) stay together. Raises InputError if a part
    would be empty.
    """
    if not 0 < test_fraction < 1:
        raise InputError(f"test_fraction must lie between 0 and 1, found {test_fraction}")
    order = rng.permutation(n_conditions)
    n_test = round(n_conditions * test_fraction)
    if n_test < 3 or n_conditions - n_test < 2 * inner_folds or inner_folds < 2:
        raise InputError(
            f"axis: {n_conditions} images are too few for test_fraction={test_fraction:g} and "
            f"inner_folds={inner_folds}: at least 3 are tested and {2 * inner_folds} trained on"
        )

    def rows(conditions: np.ndarray) -> np.ndarray:
        within = np.arange(per_condition)
        return (np.sort(conditions)[:, None] * per_condition + within).ravel()

    folds = np.array_split(order[n_test:], inner_folds)
    return Blocks(inner=tuple(rows(f) for f in folds), test=rows(order[:n_test]))
