"""How scores vary over seeds: networks, splits and populations drawn anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.statistics import crossed_bootstrap
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

    - ``mean``: over seeds and conditions; ``sd``: over seeds, of each seed's mean over conditions.
    - ``low``, ``high``: 95 % bootstrap that draws seeds and conditions, which are crossed
      (:func:`mua_decode.statistics.crossed_bootstrap`): for other seeds and other conditions like
      these. Fewer than about ten seeds make it too narrow in their share.
    - ``low_seeds``, ``high_seeds``: 95 % t interval over seeds (n - 1 degrees of freedom), for
      other seeds with these very conditions; right for few seeds if their means are about normal,
      which those of a score at its ceiling are not.

    A condition with an unknown score in some seed is left out of that seed alone; directions are
    never unknown where undefined ones count as guesses.
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
            paired = (value["decoder"] - value[floor]).dropna()
            if not len(paired):
                continue
            found = _interval(paired, rng, n)
            rows.append({"run": "decoder", **labels, "minus": floor, **found})
    return pd.DataFrame(rows, columns=list(SEED_COLUMNS))


def _interval(value: pd.Series, rng: np.random.Generator, n: int) -> dict[str, float]:
    """Mean and intervals of values indexed by seed and condition."""
    table = value.unstack("condition")  # noqa: PD010
    by_seed = table.mean(axis=1).to_numpy()
    found = crossed_bootstrap(table.to_numpy(), rng=rng, n=n)
    size = len(by_seed)
    sd = float(by_seed.std(ddof=1)) if size > 1 else np.nan
    reach = float(stats.t.ppf(0.975, size - 1)) * sd / size**0.5 if size > 1 else np.nan
    mean = float(by_seed.mean())
    return {
        "mean": found.estimate,
        "sd": sd,
        "low": found.low,
        "high": found.high,
        "low_seeds": mean - reach,
        "high_seeds": mean + reach,
        "n_seeds": size,
        "n_conditions": table.shape[1],
    }
