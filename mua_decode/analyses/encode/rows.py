"""Rows of the result table of an encoding model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mua_decode.analyses.encode.averages import Averages
from mua_decode.analyses.encode.bands import Band, band_r2, condition_band_r2
from mua_decode.analyses.encode.ceiling import Ceiling
from mua_decode.analyses.encode.correlation import (
    correlate,
    moments_r,
    nan_mean,
    pooled_r,
    signed_square,
    time_r,
)
from mua_decode.analyses.encode.predict import Prediction
from mua_decode.data.independence import unit_of
from mua_decode.statistics import Interval, jackknife_interval, pooled_interval, rank_p
from mua_decode.types import HypothesisTable, only

_CLIP = 1 - 1e-9  # of a correlation on Fisher's scale
_AVERAGE = "averages over sites"
RELIABLE = "encoding_r_reliable"
_TRIALS = ("single_trial", "trial_average")


class EncodingRows:
    """Collects rows; every method adds those of one question."""

    def __init__(self, recorded: Averages, sites: Ceiling, regions: Ceiling) -> None:
        self.rows: list[dict[str, object]] = []
        self._recorded, self._sites, self._regions = recorded, sites, regions
        self._masks = {"none": np.ones(recorded.values.shape[2], bool)}
        self._masks |= {only(name): mask for name, mask in recorded.regions.items()}

    def add_ceiling(self, run: str) -> None:
        """Reliabilities, and their square roots where they are above 0."""
        sites, regions = self._sites, self._regions
        found = (sites.reliable.single, sites.single), (sites.reliable.average, sites.average)
        for trial, (value, trusted) in zip(_TRIALS, found, strict=True):
            self._over_sites(run, trial, "reliability", value)
            self._over_sites(run, trial, "encoding_r", np.sqrt(trusted))
            self._over_sites(run, trial, RELIABLE, np.sqrt(trusted))
        # Pseudo-trials break the noise that sites of a session share, recorded halves do not:
        # a region's reliability holds for averages over recorded trials alone.
        for g, here in enumerate(self._each_region(run)):
            self._add(here, "reliability_region", regions.reliable.average[g], 1)
            self._add(here, "encoding_r_region", np.sqrt(regions.average[g]), 1)

    def add_prediction(self, run: str, prediction: Prediction) -> None:
        """Correlations of sites, and of regions pooled over everything or over time alone.

        ``encoding_r_reliable`` is the mean over the sites that have a noise ceiling alone, so that
        it can be compared with theirs; ``explainable_share`` the share of the explainable
        variance: the sum of r², with the sign of r, over that of the reliabilities. Both sums are
        over all sites: a site chosen by a reliability that it is then divided by seems to have more
        to explain than it has (a perfect prediction of weak sites would explain .55 of it). NaN
        where no site of the mask has a noise ceiling.
        """
        recorded, sites = self._recorded, self._sites
        average_r = pooled_r(prediction.average, recorded.values)
        pairs = (prediction.site_r, sites.single), (average_r, sites.average)
        for trial, (r, _) in zip(_TRIALS, pairs, strict=True):
            self._over_sites(run, trial, "encoding_r", r)
            self._over_sites(run, trial, RELIABLE, np.where(sites.trusted, r, np.nan))
        by_region = prediction.average @ recorded.weight
        over_time = time_r(by_region, recorded.by_region)
        for g, here in enumerate(self._each_region(run)):
            single = {**here, "trial": "single_trial"}
            self._add(single, "encoding_r_region", prediction.region_r[g], 1)
            n = prediction.n_trials if np.isfinite(prediction.region_time_r[g]) else 0
            self._add(single, "encoding_r_region_time", prediction.region_time_r[g], n, "trials")
            pair = by_region[:, :, g], recorded.by_region[:, :, g]
            units = len(np.unique(recorded.groups)), self._groups
            found = _pooled_interval(*pair, recorded.groups)
            self._interval(here, "encoding_r_region", found, (1, _AVERAGE), units)
            self._over_conditions(here, "encoding_r_region_time", over_time[:, g])
            for k, condition in enumerate(recorded.conditions):
                row = {**here, "condition": condition}
                self._add(row, "encoding_r_region_time", over_time[k, g], 1)
        whole = sites.reliable.single, sites.reliable.average
        for trial, (r, _), reliability in zip(_TRIALS, pairs, whole, strict=True):
            self._shares({"run": run, "trial": trial}, signed_square(r), reliability)
        share = signed_square(pooled_r(by_region, recorded.by_region)) / self._regions.average
        for g, here in enumerate(self._each_region(run)):
            self._add(here, "explainable_share_region", share[g], 1)

    def add_band(self, run: str, prediction: Prediction, band: Band, *, bin_s: float) -> None:
        """R² in a band, of sites and of regions; NaN with n = 0 where the step forbids it."""
        recorded, metric = self._recorded, f"band_r2_{band.name.replace(' ', '')}"
        if band.refusal(bin_s=bin_s, n_bins=recorded.values.shape[1]):
            here = {"run": run, "trial": "trial_average", "mask": "none"}
            self._add(here, metric, float("nan"), 0)
            return
        by_site = band_r2(prediction.average, recorded.values, band, bin_s=bin_s)
        self._over_sites(run, "trial_average", metric, by_site)
        by_region = prediction.average @ recorded.weight
        value = band_r2(by_region, recorded.by_region, band, bin_s=bin_s)
        for g, here in enumerate(self._each_region(run)):
            self._add(here, metric.replace("band_r2", "band_r2_region"), value[g], 1)

    def add_condition_band(
        self, run: str, prediction: Prediction, band: Band, *, bin_s: float
    ) -> None:
        """Mean over conditions of each one's R² over time in a band, as published, and each.

        ``band_r2_region_time_BAND``, beside ``band_r2_region_BAND``, which pools
        time × conditions. No row where the step forbids the band.
        """
        recorded = self._recorded
        if band.refusal(bin_s=bin_s, n_bins=recorded.values.shape[1]):
            return
        metric = f"band_r2_region_time_{band.name.replace(' ', '')}"
        by_region = prediction.average @ recorded.weight
        value = condition_band_r2(by_region, recorded.by_region, band, bin_s=bin_s)
        for g, here in enumerate(self._each_region(run)):
            self._over_conditions(here, metric, value[:, g])
            for k, condition in enumerate(recorded.conditions):
                self._add({**here, "condition": condition}, metric, value[k, g], 1)

    def add_chance(self, run: str, noise: np.ndarray, encoder: Prediction) -> HypothesisTable:
        """Region correlations of predictions (V, T, N) from noise, and the encoder's rank there.

        The prediction from one noise video stands in for that of every condition. p is one-sided
        (:func:`mua_decode.statistics.rank_p`). A region with an onset passes without knowing the
        condition; :func:`mua_decode.analyses.encode.significance.condition_tests` does not let it.
        ``_low`` and ``_high`` hold the central 95 % of the videos.
        """
        weight, recorded = self._recorded.weight, self._recorded.by_region
        own = _region_r(encoder.average @ weight, recorded)
        drawn = [_region_r(np.broadcast_to(v, recorded.shape), recorded) for v in noise @ weight]
        regions = list(self._recorded.regions)
        tests: list[dict[str, object]] = []
        for metric in own:
            for g, here in enumerate(self._each_region(run)):
                null = np.array([r[metric][g] for r in drawn])
                value = null[np.isfinite(null)]
                row: dict[str, object] = {
                    "question": "is the video used at all? (our rank)",
                    "group": regions[g],
                    "metric": metric,
                    "test": "rank among uniform noise videos, one-sided",
                    "n": len(value),
                    "n_unit": "noise videos",
                    "effect_name": "correlation above the mean of noise",
                }
                estimate = own[metric][g]
                if len(value) and np.isfinite(estimate):
                    low, high = np.quantile(value, [0.025, 0.975])
                    counted = len(value), "noise videos"
                    self._interval(here, metric, (float(value.mean()), low, high), counted, counted)
                    row["p"] = float(rank_p(value, estimate))
                    row |= {"statistic": estimate, "effect": estimate - value.mean()}
                    row |= {"low": estimate - high, "high": estimate - low}
                else:
                    self._add(here, metric, float("nan"), 0, "noise videos")
                    row["note"] = "a prediction or the recorded activity does not vary"
                tests.append(row)
        return HypothesisTable.from_rows(tests)

    def add_null(self, run: str, drawn: np.ndarray, own: np.ndarray) -> None:
        """Null of the region correlations over time, and how much of it is not below ours.

        ``drawn``, float (V, G), has one value a random video; ``own``, float (Q, G), one a
        condition. ``null_fraction`` is the share of the videos at or above the mean of ours;
        ``_low`` and ``_high`` hold the central 95 % of the videos.
        """
        metric = "encoding_r_region_time"
        for g, here in enumerate(self._each_region(run)):
            null, mean = drawn[np.isfinite(drawn[:, g]), g], nan_mean(own[:, g])
            if not len(null) or not np.isfinite(mean):
                self._add(here, metric, float("nan"), 0, "noise videos")
                continue
            low, high = np.quantile(null, [0.025, 0.975])
            counted = len(null), "noise videos"
            self._interval(here, metric, (float(null.mean()), low, high), counted, counted)
            self._add(here, "null_fraction", float((null >= mean).mean()), *counted)

    def _each_region(self, run: str) -> list[dict[str, str]]:
        """Labels of the trial averages of every region."""
        here = {"run": run, "trial": "trial_average"}
        return [{**here, "mask": only(name)} for name in self._recorded.regions]

    def _over_sites(self, run: str, trial: str, metric: str, value: np.ndarray) -> None:
        """Mean over the sites of each mask, with an interval over their sessions."""
        for mask, keep in self._masks.items():
            here = {"run": run, "trial": trial, "mask": mask}
            values, sessions = value[keep], self._recorded.sessions[keep]
            known = np.isfinite(values)
            counts = (int(known.sum()), "sites"), (len(np.unique(sessions[known])), "sessions")
            self._interval(here, metric, pooled_interval(values, sessions), *counts)

    def _shares(
        self, labels: Mapping[str, object], square: np.ndarray, reliability: np.ndarray
    ) -> None:
        """Explained over explainable variance of the sites of each mask, over their sessions."""
        known = np.isfinite(square) & np.isfinite(reliability)
        for mask, inside in self._masks.items():
            kept = np.flatnonzero(inside & known)
            if not self._sites.trusted[inside].any():
                kept = kept[:0]

            def share(keep: np.ndarray, kept: np.ndarray = kept) -> float:
                return _ratio(square[kept[keep]].sum(), reliability[kept[keep]].sum())

            found = jackknife_interval(share, self._recorded.sessions[kept])
            sessions = len(np.unique(self._recorded.sessions[kept]))
            counts = (len(kept), "sites"), (sessions, "sessions")
            self._interval({**labels, "mask": mask}, "explainable_share", found, *counts)

    def _over_conditions(
        self, labels: Mapping[str, object], metric: str, values: np.ndarray
    ) -> None:
        """Mean over conditions, with an interval over groups that share no recorded trial."""
        known, groups = np.isfinite(values), self._recorded.groups
        found, unit = pooled_interval(values, groups), (len(np.unique(groups[known])), self._groups)
        self._interval(labels, metric, found, (int(known.sum()), "conditions"), unit)

    @property
    def _groups(self) -> str:
        return unit_of(self._recorded.groups)

    def _interval(
        self,
        labels: Mapping[str, object],
        metric: str,
        found: tuple[float, float, float],
        counted: tuple[int, str],
        units: tuple[int, str],
    ) -> None:
        """Rows of a value, that ``counted`` so many, and of the ends of its interval over units."""
        counts = (counted, units, units)
        for suffix, value, (n, unit) in zip(("", "_low", "_high"), found, counts, strict=True):
            self._add(labels, metric + suffix, value, n, unit)

    def _add(
        self, labels: Mapping[str, object], metric: str, value: float, n: int, unit: str = _AVERAGE
    ) -> None:
        fixed = {"condition": "all", "segment": "all", "unit": "1", "split": self._recorded.split}
        found = {"metric": metric, "value": float(value), "n": n, "n_unit": unit}
        self.rows.append(fixed | dict(labels) | found)


def _region_r(predicted: np.ndarray, recorded: np.ndarray) -> dict[str, np.ndarray]:
    """Both correlations (G,) of region averages (Q, T, G)."""
    return {
        "encoding_r_region": pooled_r(predicted, recorded),
        "encoding_r_region_time": nan_mean(time_r(predicted, recorded)),
    }


def _pooled_interval(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Interval:
    """Correlation of (Q, T) over everything, with its interval over groups (Q,) of conditions."""
    moments = np.stack([m.mean(axis=1) for m in (x, y, x * x, y * y, x * y)])

    def z_of(keep: np.ndarray) -> float:
        return float(np.arctanh(np.clip(moments_r(*moments[:, keep].mean(axis=1)), -_CLIP, _CLIP)))

    found = jackknife_interval(z_of, groups)
    return Interval(float(correlate(x.ravel(), y.ravel())), *np.tanh(found[1:]))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
