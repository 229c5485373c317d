"""Is a site tuned to an axis of a feature space? All sites at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.permutation import permutation_p
from mua_decode.analyses.axis.ramp import Ramps, measure_ramps
from mua_decode.analyses.axis.responses import Responses
from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign, RidgeFit
from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.statistics import adjust
from mua_decode.types import InputError

_RELIABLE = 0.05  # share of test variance that must be signal before R² is divided by it


@dataclass(frozen=True)
class AxisSettings:
    """Choices of the axis model; each is written into the results.

    Parameters
    ----------
    n_permutations
        Permutations of the significance test.
    alpha
        Level of all tests after correction.
    correction
        ``fdr_bh``, ``holm`` or ``none``, over sites.
    flat_fraction
        Share of the preferred slope below which an orthogonal slope counts as flat.
    """

    n_permutations: int = 1000
    alpha: float = 0.05
    correction: str = "fdr_bh"
    flat_fraction: float = 0.5

    def __post_init__(self) -> None:
        if self.n_permutations < 19 or not 0 < self.alpha < 1 or self.flat_fraction <= 0:
            raise InputError(
                "axis: need n_permutations >= 19, 0 < alpha < 1 and flat_fraction > 0, found "
                f"{self.n_permutations}, {self.alpha:g} and {self.flat_fraction:g}"
            )
        adjust(np.array([1.0]), self.correction)


@dataclass(frozen=True, eq=False)
class AxisModel:
    """The axis of every site in one feature space.

    Parameters
    ----------
    name
        Name of the feature space.
    x
        Components (M, P), rows as in ``Responses.rows``.
    blocks
        Inner folds and test rows.
    fit
        Weights and held-out correlation.
    predicted
        Predictions for the test rows, (M_test, N).
    ramps
        Ramp and flatness.
    sites
        One row per site: p-values, correlation, ceiling, ``tuned`` ...
    tests
        What stands behind the p-values.
    """

    name: str
    x: np.ndarray
    blocks: Blocks
    fit: RidgeFit
    predicted: np.ndarray
    ramps: Ramps
    sites: pd.DataFrame
    tests: tuple[TestNote, ...]

    @property
    def tuned(self) -> np.ndarray:
        """bool (N,): responsive and axis-tuned after correction."""
        return self.sites["tuned"].to_numpy(bool)


def fit_axes(
    name: str,
    x: np.ndarray,
    responses: Responses,
    blocks: Blocks,
    *,
    settings: AxisSettings,
    rng: np.random.Generator,
) -> AxisModel:
    """Fit axes on the training rows and test them on the held-out ones.

    Parameters
    ----------
    name
        Name of the feature space.
    x
        Components (K * T, P), fitted on the training images.
    responses
        K conditions, T bins, N sites.
    blocks
        Rows of the inner folds and of the test part.
    settings
        Level, correction, permutations.
    rng
        For the permutations.

    Raises
    ------
    InputError
        If images and responses differ in number.
    """
    y = responses.rows
    if len(x) != len(y):
        raise InputError(f"axis: {len(x)} images have features but {len(y)} have responses")
    per = responses.mean.shape[1]
    fit = RidgeDesign(x, blocks).fit(y, blocks)
    predicted = fit.predict(x[blocks.test])
    p = permutation_p(
        x, y, blocks, n_permutations=settings.n_permutations, rng=rng, per_condition=per
    )
    ramps = measure_ramps(
        fit.weight,
        x_train=x[blocks.train],
        x_test=x[blocks.test],
        y_test=y[blocks.test],
        flat_fraction=settings.flat_fraction,
    )
    columns, tests = _significance(responses, p, ramps, settings)
    columns |= _strength(responses, blocks, fit, y, predicted)
    frame = responses.sites.to_frame().assign(space=name, **columns)
    return AxisModel(name, x, blocks, fit, predicted, ramps, frame, tests)


def _strength(
    responses: Responses, blocks: Blocks, fit: RidgeFit, y: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    """Held-out correlation, R² and, where single trials allow, R² over its ceiling."""
    away = y[blocks.test] - y[blocks.test].mean(axis=0)
    residual = np.square(y[blocks.test] - predicted).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = 1 - residual / np.square(away).sum(axis=0)
    reliability = noise_ceiling(responses, blocks)
    usable = reliability > _RELIABLE
    corrected = np.square(fit.correlation) / np.where(usable, reliability, np.nan)
    return {
        "heldout_correlation": fit.correlation,
        "heldout_r2": r2,
        "ceiling_correlation": np.sqrt(np.where(reliability > 0, reliability, np.nan)),
        "r2_of_explainable": corrected,
        "penalty": fit.penalty,
    }


def noise_ceiling(responses: Responses, blocks: Blocks) -> np.ndarray:
    """Share of the variance of the test means that is not noise of the mean, (N,).

    Variance of the means over test images less the mean of (variance over trials / trials):
    unbiased (Sahani and Linden 2003). NaN where only averages are known, or with bins.
    """
    n_sites = responses.mean.shape[2]
    if responses.mean.shape[1] > 1 or not responses.has_repeats:
        return np.full(n_sites, np.nan)
    test = blocks.test
    total = responses.rows[test].var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = responses.variance[test] / responses.n_trials[test]
        known = np.isfinite(noise)
        mean_noise = np.where(known, noise, 0).sum(axis=0) / known.sum(axis=0)
        return np.asarray(np.where(total > 0, (total - mean_noise) / total, np.nan))


def _significance(
    responses: Responses, p: np.ndarray, ramps: Ramps, settings: AxisSettings
) -> tuple[dict[str, np.ndarray], tuple[TestNote, ...]]:
    """p-values, corrected over sites, the verdicts, and the record of the tests."""
    how, alpha = settings.correction, settings.alpha
    responsive_p = adjust(responses.responsive_p, how)
    responsive = np.isnan(responsive_p) | (responsive_p <= alpha)
    p = np.where(responsive, p, np.nan)  # a site that does not respond is not asked
    tested = {
        "heldout": p,
        "ramp": np.where(responsive, ramps.p_preferred, np.nan),
        "orthogonal": np.where(responsive, ramps.p_orthogonal, np.nan),
        "flat": np.where(responsive, ramps.p_flat, np.nan),
    }
    corrected = {k: adjust(v, how) for k, v in tested.items()}
    columns: dict[str, np.ndarray] = {
        "responsive_p": responses.responsive_p,
        "responsive_p_corrected": responsive_p,
        "responsive": responsive,
    }
    for key, value in tested.items():
        columns |= {f"{key}_p": value, f"{key}_p_corrected": corrected[key]}
    columns |= {
        "tuned": corrected["heldout"] <= alpha,
        "ramp": corrected["ramp"] <= alpha,
        "flat": corrected["flat"] <= alpha,
        "orthogonal_slope_differs_from_0": corrected["orthogonal"] <= alpha,
        "slope_preferred": ramps.slope_preferred,
        "slope_orthogonal": ramps.slope_orthogonal,
    }
    n_images, n = f"{ramps.n_images} held-out images", int(responsive.sum())
    n_perm = settings.n_permutations
    fraction = settings.flat_fraction
    notes = (
        TestNote("responsive", responses.responsive_test, "trials of a site", len(p), how),
        TestNote(
            "heldout",
            f"permutation of images within folds with the whole fit repeated, {n_perm} "
            "permutations, correlation above chance, one-sided",
            n_images,
            n,
            how,
        ),
        TestNote(
            "ramp",
            "t test of the slope on the preferred projection, one-sided, in a "
            "regression on both projections",
            n_images,
            n,
            how,
        ),
        TestNote(
            "orthogonal",
            "t test of the slope on the orthogonal projection, two-sided, in the same regression",
            n_images,
            n,
            how,
        ),
        TestNote(
            "flat",
            "two one-sided t tests: orthogonal slope smaller in size than "
            f"{fraction:g} of the preferred slope",
            n_images,
            n,
            how,
        ),
    )
    return columns, notes
