"""Is a site tuned to an axis of a feature space? All sites at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.permutation import permutation_p
from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.ramp import Ramps, measure_ramps
from mua_decode.analyses.axis.responses import Responses, region_masks
from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign, RidgeFit
from mua_decode.analyses.axis.statistics import column_of_p
from mua_decode.analyses.axis.units import Units, unit_correlation, unit_share
from mua_decode.statistics import adjust, jackknife_interval
from mua_decode.types import HypothesisTable, InputError, SiteTable

_RELIABLE = 0.05  # share of test variance that must be signal before R² is divided by it


@dataclass(frozen=True, eq=False)
class AxisModel:
    """The axis of every site in one feature space."""

    name: str  # of the feature space
    x: np.ndarray  # components (M, P), rows as in ``Responses.rows``
    fit: RidgeFit
    predicted: np.ndarray  # (M_test, N): for the test rows
    ramps: Ramps
    sites: pd.DataFrame  # one row per site: p-values, correlation, ceiling, ``tuned`` ...
    tests: HypothesisTable

    @property
    def site_table(self) -> SiteTable:
        """Who the sites are."""
        identity = ("site_id", "region", "session", "subject")
        return SiteTable(*(self.sites[c].to_numpy() for c in identity))

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
    plan: SignificancePlan,
    rng: np.random.Generator,
) -> AxisModel:
    """Fit axes on the training rows and test them on the held-out ones.

    ``x`` are components (K * T, P) in the feature space ``name``, fitted on the training images.
    Raises InputError if images and responses differ in number.
    """
    y = responses.rows
    if len(x) != len(y):
        raise InputError(f"axis: {len(x)} images have features but {len(y)} have responses")
    fit = RidgeDesign(x, blocks).fit(y, blocks)
    predicted = fit.predict(x[blocks.test])
    p = permutation_p(
        x, y, blocks, n_permutations=plan.n_permutations, rng=rng, per_condition=responses.per_image
    )
    ramps = measure_ramps(
        fit.weight,
        x_train=x[blocks.train],
        x_test=x[blocks.test],
        y_test=y[blocks.test],
        flat_fraction=plan.flat_fraction,
        per_image=responses.per_image,
    )
    columns, tests = _significance(responses, p, ramps, plan)
    columns |= _strength(responses, blocks, fit, y, predicted)
    frame = responses.sites.to_frame().assign(space=name, **columns)
    return AxisModel(name, x, fit, predicted, ramps, frame, tests)


def summarise(models: Mapping[str, AxisModel], table: SiteTable) -> pd.DataFrame:
    """Tuning per feature space and region, one row each, with 95 % intervals over units."""
    rows, units = [], Units.of_sites(table)
    for name, model in models.items():
        sites = model.sites
        responsive = sites["responsive"].to_numpy(bool)
        slope = sites["orthogonal_slope_differs_from_0"]
        for region, inside in region_masks(table).items():
            asked = inside & responsive
            tuned, low, high = unit_share(sites["tuned"].to_numpy(bool)[asked], units.label[asked])
            r, r_low, r_high = unit_correlation(
                sites["heldout_correlation"].to_numpy()[inside], units.label[inside]
            )
            rows.append(
                {
                    "space": name,
                    "region": region,
                    "n_sites_all": int(inside.sum()),
                    "n_sites": int(asked.sum()),
                    "share_responsive": responsive[inside].mean(),
                    "share_tuned": tuned,
                    "share_low": low,
                    "share_high": high,
                    "median_heldout_correlation": r,
                    "correlation_low": r_low,
                    "correlation_high": r_high,
                    **_pooled_share(sites[asked], units.label[asked]),
                    "median_r2_of_explainable": sites["r2_of_explainable"][asked].median(),
                    "share_ramp": sites["ramp"][asked].mean(),
                    "share_flat": sites["flat"][asked].mean(),
                    "share_orthogonal_slope": slope[asked].mean(),
                    "n_units": len(np.unique(units.label[inside])),
                    "unit": units.name,
                }
            )
    return pd.DataFrame(rows)


def _strength(
    responses: Responses, blocks: Blocks, fit: RidgeFit, y: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    """Held-out correlation, R² and, where single trials allow, signed R² over its ceiling.

    The R² that is divided keeps the sign of the correlation: squared, noise would count as
    explained. Sites are chosen by the reliability they are divided by, which makes it too small
    where that is weak (.76 of 1): the share of many sites is :func:`_pooled_share`.
    ``explained_share`` and ``explainable_share`` of the variance of the test means are its parts.
    """
    away = y[blocks.test] - y[blocks.test].mean(axis=0)
    residual = np.square(y[blocks.test] - predicted).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = 1 - residual / np.square(away).sum(axis=0)
    reliability = noise_ceiling(responses, blocks)
    usable = reliability > _RELIABLE
    corrected = fit.correlation * np.abs(fit.correlation) / np.where(usable, reliability, np.nan)
    return {
        "heldout_correlation": fit.correlation,
        "heldout_r2": r2,
        "ceiling_correlation": np.sqrt(np.where(reliability > 0, reliability, np.nan)),
        "r2_of_explainable": corrected,
        "explained_share": _explained(fit.correlation, responses, blocks),
        "explainable_share": reliability,
        "penalty": fit.penalty,
    }


def _explained(r: np.ndarray, responses: Responses, blocks: Blocks) -> np.ndarray:
    """r² (N,) less what noise of M test images adds to it, with the sign of r; 0 where r is."""
    m = len(blocks.test) // responses.per_image
    return np.asarray(np.sign(r) * (1 - (1 - r**2) * (m - 1) / max(m - 2, 1)))


def _pooled_share(sites: pd.DataFrame, units: np.ndarray) -> dict[str, float]:
    """Explained over explainable variance, both summed over all sites, with its interval."""
    pair = sites[["explained_share", "explainable_share"]].to_numpy(float)
    kept = np.isfinite(pair).all(axis=1)

    def share(keep: np.ndarray) -> float:
        explained, explainable = pair[kept][keep].sum(axis=0)
        return explained / explainable if explainable > 0 else float("nan")

    found = jackknife_interval(share, units[kept])
    ends = ("", "_low", "_high")
    return {f"pooled_r2_of_explainable{e}": v for e, v in zip(ends, found, strict=True)}


def noise_ceiling(responses: Responses, blocks: Blocks) -> np.ndarray:
    """Share of the variance of the test means that is not noise of the mean, (N,).

    Variance of the means over test images less the mean of (variance over trials / trials), each
    unbiased (Sahani and Linden 2003); so is their ratio, since one over the variance of M normal
    values is (M - 1) / (M - 3) times too large on average. NaN where only averages are known, or
    with bins.
    """
    if not responses.knows_noise:
        return np.full(responses.mean.shape[2], np.nan)
    test = blocks.test
    total = responses.rows[test].var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = responses.variance[test] / responses.n_trials[test]
        known = np.isfinite(noise)
        mean_noise = np.where(known, noise, 0).sum(axis=0) / known.sum(axis=0)
        ratio = mean_noise / total * max(len(test) - 3, 1) / (len(test) - 1)
        return np.asarray(np.where(total > 0, 1 - ratio, np.nan))


def _significance(
    responses: Responses, p: np.ndarray, ramps: Ramps, plan: SignificancePlan
) -> tuple[dict[str, np.ndarray], HypothesisTable]:
    """p-values, corrected over sites, the verdicts, and the record of the tests."""
    how, alpha = plan.correction, plan.alpha
    responsive_p = adjust(responses.responsive_p, how)
    responsive = np.isnan(responsive_p) | (responsive_p <= alpha)
    columns: dict[str, np.ndarray] = {
        "responsive_p": responses.responsive_p,
        "responsive_p_corrected": responsive_p,
        "responsive": responsive,
    }
    for key, value in {
        "heldout": p,
        "ramp": ramps.p_preferred,
        "orthogonal": ramps.p_orthogonal,
        "flat": ramps.p_flat,
    }.items():
        # A site that does not respond is not asked.
        columns[f"{key}_p"] = np.where(responsive, value, np.nan)
        columns[f"{key}_p_corrected"] = adjust(columns[f"{key}_p"], how)
    columns |= {
        "tuned": columns["heldout_p_corrected"] <= alpha,
        "ramp": columns["ramp_p_corrected"] <= alpha,
        "flat": columns["flat_p_corrected"] <= alpha,
        "orthogonal_slope_differs_from_0": columns["orthogonal_p_corrected"] <= alpha,
        "slope_preferred": ramps.slope_preferred,
        "slope_orthogonal": ramps.slope_orthogonal,
    }
    said = {
        "heldout": "permutation of images within folds with the whole fit repeated, "
        f"{plan.n_permutations} permutations, correlation above chance, one-sided",
        "ramp": "t test of the slope on the preferred projection, one-sided, in a regression on "
        f"both projections{ramps.errors}",
        "orthogonal": "t test of the slope on the orthogonal projection, two-sided, in the same "
        "regression",
        "flat": "two one-sided t tests in it: orthogonal slope smaller in size than "
        f"{plan.flat_fraction:g} of the preferred slope",
    }
    n_tests = int(responsive.sum())
    rows = [
        column_of_p(
            "responsive",
            responses.responsive_test,
            n=int(responses.n_trials.sum(axis=0).min()),
            n_unit="trials of the site with fewest",
            n_tests=int(np.isfinite(responses.responsive_p).sum()),
            correction=how,
        )
    ]
    rows += [
        column_of_p(
            name, test, n=ramps.n_images, n_unit="held-out images", n_tests=n_tests, correction=how
        )
        for name, test in said.items()
    ]
    return columns, HypothesisTable.concat(rows)
