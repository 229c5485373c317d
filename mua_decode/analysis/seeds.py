"""How scores vary over seeds: networks, splits and populations drawn anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.statistics import cluster_bootstrap
from mua_decode.types import ResultTable

_KEYS = ["run", "trial", "metric", "segment", "unit"]
SEED_COLUMNS = (
    *_KEYS, "minus", "mean", "sd", "low", "high", "low_seeds", "high_seeds", "n_seeds",
    "n_conditions",
)  # fmt: skip


def seed_summary(
    tables: Mapping[int, ResultTable], *, rng: np.random.Generator, n: int = 10_000
) -> pd.DataFrame:
    """Means over seeds with intervals, of every run and of the decoder minus every floor.

    Parameters
    ----------
    tables
        Scores by seed, with a row per condition.
    rng, n
        Of the bootstrap: its generator and number of resamples.

    Returns
    -------
    DataFrame with the columns ``SEED_COLUMNS``, a row per run, averaging of trials, metric and
    segment; rows in which ``minus`` names a floor are differences, paired by seed and condition.

    - ``mean``, ``sd``: over seeds, of each seed's mean over conditions.
    - ``low``, ``high``: 95 % cluster bootstrap; seeds are drawn, then conditions within each, so
      that it speaks for other seeds and other conditions like these. Percentile intervals of
      fewer than about ten seeds are too narrow in their share of seeds.
    - ``low_seeds``, ``high_seeds``: 95 % t interval over seeds (n - 1 degrees of freedom), for
      other seeds with these very conditions; right for few seeds if their means are about normal.

    All are NaN for one seed. Seeds share the recording: neither speaks for other animals.
    """
    whole = pd.concat(
        [table.frame.assign(seed=seed) for seed, table in tables.items()], ignore_index=True
    )
    single = whole[(whole["condition"] != "all") & (whole["mask"] == "none")]
    rows = []
    for (trial, metric, segment, unit), part in single.groupby(_KEYS[1:], sort=False):
        value = part.set_index(["seed", "condition", "run"])["value"].unstack("run")  # noqa: PD010
        runs = [run for run in dict.fromkeys(part["run"]) if value[run].notna().any()]
        labels = {"trial": trial, "metric": metric, "segment": segment, "unit": unit}
        for run in runs:
            found = _interval(value[run].dropna(), rng, n)
            rows.append({"run": run, **labels, "minus": "", **found})
        floors = [run for run in runs if run.startswith("floor/") and "decoder" in runs]
        for floor in floors:
            found = _interval((value["decoder"] - value[floor]).dropna(), rng, n)
            rows.append({"run": "decoder", **labels, "minus": floor, **found})
    return pd.DataFrame(rows, columns=list(SEED_COLUMNS))


def _interval(value: pd.Series, rng: np.random.Generator, n: int) -> dict[str, float]:
    """Mean and intervals of values indexed by seed and condition."""
    labels = np.array(value.index.to_list(), dtype=object).reshape(-1, 2)
    clusters = np.stack([np.unique(c.astype(str), return_inverse=True)[1] for c in labels.T], 1)
    by_seed = value.groupby("seed").mean().to_numpy()
    found = cluster_bootstrap(value.to_numpy(), clusters, rng=rng, n=n)
    t = (np.nan, np.nan)
    if len(by_seed) > 1:
        t = stats.ttest_1samp(by_seed, 0.0).confidence_interval(0.95)
    return {
        "mean": float(by_seed.mean()) if len(by_seed) else np.nan,
        "sd": float(by_seed.std(ddof=1)) if len(by_seed) > 1 else np.nan,
        "low": found.low,
        "high": found.high,
        "low_seeds": float(t[0]),
        "high_seeds": float(t[1]),
        "n_seeds": len(by_seed),
        "n_conditions": int(value.index.get_level_values("condition").nunique()),
    }
