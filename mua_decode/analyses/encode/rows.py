"""Rows of the result table of an encoding model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from mua_decode.analyses.encode.bands import Band, band_r2
from mua_decode.analyses.encode.ceiling import Reliability
from mua_decode.analyses.encode.predict import Prediction, correlate
from mua_decode.statistics import cluster_bootstrap, rank_p
from mua_decode.types import HypothesisTable

_DRAWS = 2000
RELIABLE = "encoding_r_reliable"
_TRIALS = ("single_trial", "trial_average")


def signed_square(r: np.ndarray) -> np.ndarray:
    """Square of r with its sign: a prediction that is wrong way round explains nothing."""
    return np.asarray(r * np.abs(r))


class EncodingRows:
    """Collects rows; every method adds those of one question.

    Parameters
    ----------
    split
        Label in the table.
    regions
        Name -> bool (N,).
    conditions
        Names of the Q conditions.
    recorded
        float (Q, T, N): recorded activity averaged over trials.
    sessions
        Session of every site (N,). Intervals of means over sites draw whole sessions, whose sites
        share trials; single sites where a region or the population has one session.
    groups
        int (Q,): label of every condition; intervals of means over conditions draw conditions
        that share recorded trials together.
    rng
        For bootstraps.
    """

    def __init__(
        self,
        *,
        split: str,
        regions: Mapping[str, np.ndarray],
        conditions: Sequence[str],
        recorded: np.ndarray,
        sessions: np.ndarray,
        groups: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self._sessions, self._groups = sessions, groups
        self.rows: list[dict[str, object]] = []
        self._split, self._regions, self._rng = split, regions, rng
        self._conditions, self._recorded = list(conditions), recorded
        self._weight = np.stack([m / m.sum() for m in regions.values()], axis=1)
        self._masks = {"none": np.ones(recorded.shape[2], bool)}
        self._masks |= {f"only {name}": mask for name, mask in regions.items()}
        self._by_region = recorded @ self._weight

    def add_prediction(self, run: str, prediction: Prediction, trusted_sites: np.ndarray) -> None:
        """Correlations of sites, and of regions pooled over everything or over time alone.

        ``encoding_r_reliable`` is the mean over the sites of ``trusted_sites`` (N,) alone, those
        that have a noise ceiling, so that it can be compared with theirs.
        """
        flat = self._recorded.reshape(-1, self._recorded.shape[2])
        average = correlate(prediction.average.reshape(flat.shape), flat)
        for trial, r in zip(_TRIALS, (prediction.site_r, average), strict=True):
            self._over_sites(run, trial, "encoding_r", r)
            self._over_sites(run, trial, RELIABLE, np.where(trusted_sites, r, np.nan))
        by_region = prediction.average @ self._weight
        over_time = correlate(by_region.swapaxes(0, 1), self._by_region.swapaxes(0, 1))
        for g, name in enumerate(self._regions):
            here = {"run": run, "mask": f"only {name}"}
            single = {**here, "trial": "single_trial"}
            self._add(single, "encoding_r_region", prediction.region_r[g], 1)
            n = prediction.n_trials if np.isfinite(prediction.region_time_r[g]) else 0
            self._add(single, "encoding_r_region_time", prediction.region_time_r[g], n)
            whole = {**here, "trial": "trial_average"}
            pair = by_region[:, :, g], self._by_region[:, :, g]
            self._interval(whole, "encoding_r_region", *_pooled_interval(*pair, self._rng), 1)
            self._mean(whole, "encoding_r_region_time", over_time[:, g], self._groups)
            for k, condition in enumerate(self._conditions):
                row = {**whole, "condition": condition}
                self._add(row, "encoding_r_region_time", over_time[k, g], 1)

    def add_ceiling(
        self,
        run: str,
        sites: Reliability,
        regions: Reliability,
        trusted_sites: np.ndarray,
        trusted_regions: np.ndarray,
    ) -> None:
        """Reliabilities, and their square roots where they are above 0."""
        for trial, value in zip(_TRIALS, (sites.single, sites.average), strict=True):
            self._over_sites(run, trial, "reliability", value)
            root = np.sqrt(np.where(trusted_sites, value, np.nan))
            self._over_sites(run, trial, "encoding_r", root)
            self._over_sites(run, trial, RELIABLE, root)
        # Pseudo-trials break the noise that sites of a session share, recorded halves do not:
        # a region's reliability holds for averages over recorded trials alone.
        root = np.sqrt(np.where(trusted_regions, regions.average, np.nan))
        for g, name in enumerate(self._regions):
            here = {"run": run, "mask": f"only {name}", "trial": "trial_average"}
            self._add(here, "reliability_region", regions.average[g], 1)
            self._add(here, "encoding_r_region", root[g], 1)

    def add_explainable(
        self,
        run: str,
        prediction: Prediction,
        sites: Reliability,
        regions: Reliability,
        trusted_sites: np.ndarray,
        trusted_regions: np.ndarray,
    ) -> None:
        """Share of the explainable variance, r² / reliability, with the sign of r."""
        flat = self._recorded.reshape(-1, self._recorded.shape[2])
        average = correlate(prediction.average.reshape(flat.shape), flat)
        pairs = (prediction.site_r, sites.single), (average, sites.average)
        for trial, (r, reliability) in zip(_TRIALS, pairs, strict=True):
            share = signed_square(r) / np.where(trusted_sites, reliability, np.nan)
            self._over_sites(run, trial, "explainable_share", share)
        by_region = prediction.average @ self._weight
        r = correlate(*(x.reshape(-1, x.shape[2]) for x in (by_region, self._by_region)))
        share = signed_square(r) / np.where(trusted_regions, regions.average, np.nan)
        for g, name in enumerate(self._regions):
            here = {"run": run, "mask": f"only {name}", "trial": "trial_average"}
            self._add(here, "explainable_share_region", share[g], 1)

    def add_band(self, run: str, prediction: Prediction, band: Band, *, bin_s: float) -> None:
        """R² in a band, of sites and of regions; NaN with n = 0 where the step forbids it."""
        metric = f"band_r2_{band.name.replace(' ', '')}"
        here = {"run": run, "trial": "trial_average"}
        if band.refusal(bin_s=bin_s, n_bins=self._recorded.shape[1]):
            self._add({**here, "mask": "none"}, metric, float("nan"), 0)
            return
        value = band_r2(prediction.average, self._recorded, band, bin_s=bin_s)
        self._over_sites(run, "trial_average", metric, value)
        by_region = prediction.average @ self._weight
        value = band_r2(by_region, self._by_region, band, bin_s=bin_s)
        for g, name in enumerate(self._regions):
            row = {**here, "mask": f"only {name}"}
            self._add(row, metric.replace("band_r2", "band_r2_region"), value[g], 1)

    def add_chance(self, run: str, noise: np.ndarray, encoder: Prediction) -> HypothesisTable:
        """Region correlations of predictions (V, T, N) from noise, and the encoder's rank there.

        The prediction from one noise video stands in for that of every condition. p is one-sided
        (:func:`mua_decode.statistics.rank_p`). A region with an onset passes without knowing the
        condition; :func:`mua_decode.analyses.encode.significance.condition_tests` does not let it.
        ``_low`` and ``_high`` hold the central 95 % of the videos.
        """
        drawn = _noise_correlations(noise @ self._weight, self._by_region)
        own = _region_correlations(encoder.average @ self._weight, self._by_region)
        tests: list[dict[str, object]] = []
        for metric, null in drawn.items():
            for g, name in enumerate(self._regions):
                here = {"run": run, "mask": f"only {name}", "trial": "trial_average"}
                value = null[:, g][np.isfinite(null[:, g])]
                row: dict[str, object] = {
                    "question": "as published: is the video used at all?",
                    "group": name,
                    "metric": metric,
                    "test": "rank among uniform noise videos, one-sided",
                    "n": len(value),
                    "n_unit": "noise videos",
                    "effect_name": "correlation above the mean of noise",
                }
                estimate = own[metric][g]
                if len(value) and np.isfinite(estimate):
                    low, high = np.quantile(value, [0.025, 0.975])
                    self._interval(here, metric, float(value.mean()), low, high, len(value))
                    row["p"] = float(rank_p(value, estimate))
                    row |= {"statistic": estimate, "effect": estimate - value.mean()}
                    row |= {"low": estimate - high, "high": estimate - low}
                else:
                    self._add(here, metric, float("nan"), 0)
                    row["note"] = "a prediction or the recorded activity does not vary"
                tests.append(row)
        return HypothesisTable.from_rows(tests)

    def reliability_tests(
        self, reliable: Reliability, groups: Sequence[str] | np.ndarray, metric: str
    ) -> HypothesisTable:
        """One row per site or region: do halves of its recorded trials covary?"""
        return HypothesisTable.from_rows(
            [
                {
                    "question": "do two halves of the recorded trials covary?",
                    "group": group,
                    "metric": metric,
                    "test": "one-sample t over conditions of the halves' covariance, one-sided",
                    "df": reliable.n_conditions[i] - 1,
                    "p": reliable.p[i],
                    "n": reliable.n_conditions[i],
                    "n_unit": "conditions",
                    "effect_name": "split-half correlation",
                    "effect": reliable.half_r[i],
                }
                for i, group in enumerate(groups)
            ]
        )

    def _over_sites(self, run: str, trial: str, metric: str, value: np.ndarray) -> None:
        """Mean over the sites of each mask, with a bootstrap interval over their sessions."""
        for mask, keep in self._masks.items():
            values, cluster = value[keep], self._sessions[keep]
            if len(np.unique(cluster[np.isfinite(values)])) < 2:
                cluster = np.arange(len(values))
            self._mean({"run": run, "trial": trial, "mask": mask}, metric, values, cluster)

    def _mean(
        self, labels: Mapping[str, object], metric: str, values: np.ndarray, cluster: np.ndarray
    ) -> None:
        found = cluster_bootstrap(values, cluster, rng=self._rng, n=_DRAWS)
        self._interval(labels, metric, *found, int(np.isfinite(values).sum()))

    def _interval(
        self,
        labels: Mapping[str, object],
        metric: str,
        value: float,
        low: float,
        high: float,
        n: int,
    ) -> None:
        for suffix, number in (("", value), ("_low", low), ("_high", high)):
            self._add(labels, metric + suffix, number, n)

    def _add(self, labels: Mapping[str, object], metric: str, value: float, n: int) -> None:
        fixed = {"split": self._split, "condition": "all", "segment": "all", "unit": "1"}
        self.rows.append(fixed | dict(labels) | {"metric": metric, "value": float(value), "n": n})


def _region_correlations(predicted: np.ndarray, recorded: np.ndarray) -> dict[str, np.ndarray]:
    """Both correlations (G,) of region averages (Q, T, G)."""
    flat = [x.reshape(-1, x.shape[2]) for x in (predicted, recorded)]
    over_time = correlate(predicted.swapaxes(0, 1), recorded.swapaxes(0, 1))
    return {"encoding_r_region": correlate(*flat), "encoding_r_region_time": _nan_mean(over_time)}


def _noise_correlations(noise: np.ndarray, recorded: np.ndarray) -> dict[str, np.ndarray]:
    """Both correlations (V, G) of predictions (V, T, G), the same for every condition."""
    found: dict[str, list[np.ndarray]] = {}
    for one in noise:
        same = np.broadcast_to(one, recorded.shape)
        for metric, r in _region_correlations(same, recorded).items():
            found.setdefault(metric, []).append(r)
    return {metric: np.stack(r) for metric, r in found.items()}


def _nan_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=0) / known.sum(axis=0))


def _pooled_interval(
    x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Correlation of (Q, T) over everything, with the interval of conditions drawn anew."""
    estimate = float(correlate(x.ravel(), y.ravel()))
    if not np.isfinite(estimate) or len(x) < 2:
        return estimate, float("nan"), float("nan")
    moments = np.stack([m.mean(axis=1) for m in (x, y, x * x, y * y, x * y)])

    def r_of(index: np.ndarray, axis: int) -> np.ndarray:
        a, b, aa, bb, ab = moments[:, index.astype(int)].mean(axis=axis if axis < 0 else axis + 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((ab - a * b) / np.sqrt((aa - a * a) * (bb - b * b)))

    found = stats.bootstrap(
        (np.arange(len(x)),), r_of, vectorized=True, n_resamples=_DRAWS, method="percentile",
        rng=rng,
    ).confidence_interval  # fmt: skip
    return estimate, float(found.low), float(found.high)
