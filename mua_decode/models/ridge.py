"""Linear regression from spikes to pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mua_decode.models.floor import Batches, require_fitted, stream

CONTEXTS = ("bin", "trial")


@dataclass(frozen=True, eq=False)
class _Moments:
    """Sums over one pass, float64. A row is a bin or a trial; an atom is a distinct target."""

    count: Tensor  # (A,) rows of every atom
    total: Tensor  # (A, F) sum of the features of the rows of every atom
    gram: Tensor  # (F, F) sum of outer products

    def centred(self, x_mean: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X'X (F, F), X'Y (F, R) and |Y|² of rows less ``x_mean``, with centred targets (A, R)."""
        n, x_sum = self.count.sum(), self.total.sum(0)
        cross = torch.outer(x_sum, x_mean)
        gram = self.gram - cross - cross.T + n * torch.outer(x_mean, x_mean)
        mixed = (self.total - self.count[:, None] * x_mean).T @ targets
        return gram, mixed, (self.count @ targets.square()).sum()


class RidgeDecoder:
    """Ridge regression with intercept, solved once for all penalties; output clipped to [0, 1].

    Every trial of a condition has the same target video, so X'X and the sum of the spikes of each
    condition are all the data that is kept; one eigendecomposition of X'X gives every penalty. The
    penalty is ``alpha`` times the mean eigenvalue of X'X and is the one with the smallest
    (unclipped) squared error on validation trials, a sum that needs their X'X and class sums only;
    of trained conditions, or, where validation has none of them, of its own.
    Context ``"trial"`` decomposes a (T*N, T*N) matrix: minutes and gigabytes from about 6000
    features on. Raises ValueError if the context is unknown or a penalty is not positive.

    Parameters
    ----------
    context
        ``"bin"``: frame t from the counts of bin t, with weights shared over bins.
        ``"trial"``: all frames from the counts of all bins.
    alphas
        Penalties to choose from, relative to the mean eigenvalue, all > 0.
    """

    name = "ridge"

    def __init__(self, *, context: str, alphas: Sequence[float]) -> None:
        if context not in CONTEXTS:
            raise ValueError(f"ridge: context must be 'bin' or 'trial', found '{context}'")
        if not alphas or min(alphas) <= 0:
            raise ValueError(f"ridge: alphas must be positive, found {list(alphas)}")
        self.context = context
        self.alphas = tuple(float(a) for a in alphas)
        self.alpha: float | None = None  # the chosen one
        self.val_mse: tuple[float, ...] = ()  # per pixel, of every penalty
        self._weight: Tensor | None = None  # (F, R)
        self._intercept: Tensor | None = None  # (R,)
        self._basis: Tensor | None = None  # (R, M); None: the pixels themselves
        self._pixel_mean: Tensor | None = None  # (M,)
        self._shape: tuple[int, ...] = ()

    def fit(self, train: Batches, val: Batches, videos: Tensor) -> None:
        """Accumulate both passes, solve for all penalties and keep the best."""
        self._shape = tuple(videos.shape[1:])
        fitted = self._moments(train, videos)
        if not fitted.count.any():
            raise ValueError("floor 'ridge': no training trial")
        shown = self._atoms(videos)
        used = fitted.count > 0
        atoms = torch.where(used[:, None], shown, 0.0)
        n = fitted.count.sum()
        pixel_mean = (fitted.count @ atoms) / n
        targets, self._basis = _factor(torch.where(used[:, None], atoms - pixel_mean, 0.0))
        x_mean = fitted.total.sum(0) / n
        gram, mixed, _ = fitted.centred(x_mean, targets)
        value, vector = torch.linalg.eigh(gram)
        value = value.clamp(min=0)
        unit = float(value.mean()) or 1.0
        projected = vector.T @ mixed
        shrink = 1 / (value + unit * torch.tensor(self.alphas, device=value.device)[:, None])
        tested, outside = self._moments(val, videos, keep=used), 0.0
        if not tested.count.any():  # conditions of its own
            tested = self._moments(val, videos)
            targets, outside = self._aimed_at(shown - pixel_mean, tested.count)
        if not tested.count.any():
            raise ValueError("floor 'ridge': no validation trial")
        error = _squared_error(tested.centred(x_mean, targets), vector, projected, shrink) + outside
        self.val_mse = tuple((error / (tested.count.sum() * len(pixel_mean))).tolist())
        best = min(range(len(self.alphas)), key=lambda i: self.val_mse[i])
        self.alpha = self.alphas[best]
        weight = vector @ (shrink[best][:, None] * projected)
        self._weight = weight.float()
        self._intercept = (-x_mean @ weight).float()
        self._pixel_mean = pixel_mean.float()

    def predict(self, spikes: Tensor) -> Tensor:
        """Decode spikes (B, T, N) into videos (B, C, T, H, W), clipped to [0, 1]."""
        weight = require_fitted(self._weight, self.name)
        rows = self._rows(spikes.to(weight))
        out = rows @ weight + require_fitted(self._intercept, self.name)
        if self._basis is not None:
            out = out @ self._basis
        out = (out + require_fitted(self._pixel_mean, self.name)).clamp(0, 1)
        channels, n_frames, height, width = self._shape
        if self.context == "trial":
            return out.view(len(spikes), *self._shape)
        return out.view(len(spikes), n_frames, channels, height, width).transpose(1, 2)

    def _rows(self, spikes: Tensor) -> Tensor:
        return spikes.flatten(1) if self.context == "trial" else spikes.flatten(0, 1)

    def _atoms(self, videos: Tensor) -> Tensor:
        """The distinct targets, float64 (A, M): K videos, or K*T frames in the order of rows."""
        if self.context == "trial":
            return videos.double().flatten(1)
        return videos.double().transpose(1, 2).flatten(0, 1).flatten(1)

    def _aimed_at(self, centred: Tensor, count: Tensor) -> tuple[Tensor, float]:
        """Centred targets (A, M) in the basis of the trained ones, and the squares it lacks."""
        seen = count[:, None] > 0
        centred = torch.where(seen, centred, 0.0)
        if self._basis is None:
            return centred, 0.0
        inside = centred @ self._basis.double().T
        lacking = centred.square().sum(1) - inside.square().sum(1)
        return inside, float(count @ lacking)

    def _moments(self, batches: Batches, videos: Tensor, keep: Tensor | None = None) -> _Moments:
        """Sum one pass; with ``keep`` (A,), trials whose target is not kept are left out."""
        n_frames = videos.shape[2]
        per_trial = n_frames if self.context == "bin" else 1
        known = None if keep is None else keep.view(len(videos), per_trial)[:, 0]
        total = gram = torch.zeros(0)
        count = torch.zeros(len(videos), dtype=torch.float64, device=videos.device)
        for spikes, condition in stream(batches, videos):
            if self.context == "bin" and spikes.shape[1] != n_frames:
                raise ValueError(
                    f"ridge: context 'bin' needs one frame per bin, found {spikes.shape[1]} bins "
                    f"and {n_frames} frames"
                )
            if known is not None:
                spikes, condition = spikes[known[condition]], condition[known[condition]]
            x = spikes.double()
            rows = self._rows(x)
            if not len(total):
                total = count.new_zeros(len(videos), *x.shape[1:])
                gram = count.new_zeros(rows.shape[1], rows.shape[1])
            total.index_add_(0, condition, x)
            gram.addmm_(rows.T, rows)
            count += torch.bincount(condition, minlength=len(videos))
        if not len(total):
            return _Moments(count=count.repeat_interleave(per_trial), total=total, gram=gram)
        total = total.flatten(1) if self.context == "trial" else total.flatten(0, 1)
        return _Moments(count=count.repeat_interleave(per_trial), total=total, gram=gram)


def _factor(centred: Tensor) -> tuple[Tensor, Tensor | None]:
    """Write targets (A, M) as scores (A, R) times an orthonormal basis (R, M) if A < M.

    Squared errors are the same in either, and regression is linear in the targets, so the cheap
    side is enough. Without a basis (``None``) the targets are returned as they are.
    """
    if len(centred) >= centred.shape[1]:
        return centred, None
    value, vector = torch.linalg.eigh(centred @ centred.T)
    kept = value > value.max() * len(value) * torch.finfo(value.dtype).eps
    if not bool(kept.any()):  # every condition shows the same video
        return centred, None
    root = value[kept].sqrt()
    return vector[:, kept] * root, ((vector[:, kept] / root).T @ centred).float()


def _squared_error(
    moments: tuple[Tensor, Tensor, Tensor], vector: Tensor, projected: Tensor, shrink: Tensor
) -> Tensor:
    """Sum of squared errors of every penalty (P,) on the trials of ``moments``.

    |Y - XW|² = |Y|² - 2 tr(W'X'Y) + tr(W'X'XW) with W = V diag(shrink) V'X'Y(train).
    """
    gram, mixed, total = moments
    linear = shrink @ (projected * (vector.T @ mixed)).sum(1)
    overlap = (vector.T @ gram @ vector) * (projected @ projected.T)
    quadratic = ((shrink @ overlap) * shrink).sum(1)
    return total - 2 * linear + quadratic


def log_grid(low: float, high: float, n: int) -> list[float]:
    """Return ``n`` penalties evenly spaced in their logarithm from ``low`` to ``high``."""
    if not 0 < low <= high or n < 1:
        raise ValueError(f"log grid: need 0 < low <= high and n >= 1, found {low}, {high}, {n}")
    step = 0.0 if n == 1 else math.log(high / low) / (n - 1)
    return [low * math.exp(step * i) for i in range(n)]
