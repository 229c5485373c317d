"""Planted tuning: what each site prefers, how strongly, and the shape of its tuning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import i0e

from mua_decode.simulation.checks import require_range
from mua_decode.simulation.regions import FEATURES, RegionParameters


@dataclass(frozen=True, kw_only=True)
class TuningParameters:
    """How tuning and rates vary from site to site."""

    baseline_hz: float = 40.0  # median rate before the cue, spikes per second, > 0
    baseline_spread: float = 0.3  # standard deviation of the log baseline over sites, >= 0
    # Standard deviation of a site's weights relative to its region's mean, >= 0 (gamma distributed,
    # so that a weight is never negative and a planted 0 stays 0).
    weight_spread: float = 0.3
    latency_spread: float = 0.1  # standard deviation of the log latency over sites, >= 0
    # Concentration of the von Mises tuning curves over direction and hue, > 0.
    direction_kappa: float = 1.5
    hue_kappa: float = 3.0
    # Preferred hues are spread evenly over this range (full width, degrees) about the centre.
    hue_centre_deg: float = 95.0
    hue_range_deg: float = 180.0
    # Largest response to a cue other than the preferred one, as a share of it, 0..1.
    second_cue: float = 0.5
    cue_linger: float = 0.15  # share of the cue response that stays after the cue is gone, 0..1
    rise_s: float = 0.02  # rise time constant of a response, seconds, > 0

    def __post_init__(self) -> None:
        where, given = "tuning", vars(self)
        positive = ("baseline_hz", "direction_kappa", "hue_kappa", "rise_s")
        require_range(where, given, *positive, low=0, above=True)
        require_range(where, given, "baseline_spread", "weight_spread", "latency_spread", low=0)
        require_range(where, given, "hue_centre_deg", low=-360, high=360)
        require_range(where, given, "hue_range_deg", low=0, high=360)
        require_range(where, given, "second_cue", "cue_linger", low=0, high=1)


def plant_sites(
    regions: Mapping[str, RegionParameters],
    tuning: TuningParameters,
    *,
    cues: Sequence[str],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw every site's preferences, weights, latency and baseline.

    Preferences are spread evenly over a region's sites and then jittered and shuffled, so that a
    small region still covers all feature values. One row per site, region after region: ``region``,
    ``baseline_hz``, ``latency_s``, ``weight_cue``, ``weight_colour``, ``weight_direction`` (in
    baselines), ``preferred_cue``, ``preferred_hue_deg``, ``preferred_direction_deg`` (-180..180),
    and ``response_CUE`` for every cue (0..1, 1 for the preferred one).
    """
    parts = []
    for name, region in regions.items():
        n = region.sites
        table = pd.DataFrame({"region": [name] * n})
        for column, median, sd in (
            ("baseline_hz", tuning.baseline_hz, tuning.baseline_spread),
            ("latency_s", region.latency_s, tuning.latency_spread),
        ):
            table[column] = median * np.exp(sd * rng.standard_normal(n))
        spread = max(tuning.weight_spread, 1e-6) ** 2
        for feature in FEATURES:
            scale = rng.gamma(1 / spread, spread, n)
            table[f"weight_{feature}"] = getattr(region, feature) * scale
        preferred = rng.permutation(np.arange(n) + rng.integers(len(cues))) % len(cues)
        table["preferred_cue"] = np.asarray(cues)[preferred]
        even = (rng.permutation(n) + rng.random(n)) / n
        table["preferred_hue_deg"] = tuning.hue_centre_deg + tuning.hue_range_deg * (even - 0.5)
        even = (rng.permutation(n) + rng.random(n)) / n
        table["preferred_direction_deg"] = 360 * (even - 0.5)
        response = tuning.second_cue * rng.random((n, len(cues)))
        response[np.arange(n), preferred] = 1.0
        for c, cue in enumerate(cues):
            table[f"response_{cue}"] = response[:, c]
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def von_mises(angle_deg: np.ndarray, *, kappa: float) -> np.ndarray:
    """Circular tuning curve with mean 0 over the circle and peak minus trough of 1."""
    curve = np.exp(kappa * (np.cos(np.deg2rad(angle_deg)) - 1))
    return np.asarray((curve - i0e(kappa)) / (1 - np.exp(-2 * kappa)))
