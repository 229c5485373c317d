"""How scores vary over seeds: networks, splits and populations drawn anew."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.scoring.units import NamedUnits
from mua_decode.statistics import Units, unit_interval
from mua_decode.types import ResultTable

_KEYS = ["run", "trial", "metric", "segment", "unit"]
SEED_COLUMNS = (
    *_KEYS, "minus", "mean", "sd", "low", "high", "low_seeds", "high_seeds", "n_seeds",
    "n_conditions", "interval_of", "seeds_interval_of", "units", "n_units", "units_low",
    "units_high", "note",
)  # fmt: skip


def seed_summary(
    tables: Mapping[int, ResultTable],
    *,
    rng: np.random.Generator,
    units: Mapping[str, NamedUnits] | None = None,
) -> pd.DataFrame:
    """Means over seeds with intervals, of every run and of the decoder minus every floor.

    Parameters
    ----------
    tables
        Scores by seed, with a row per condition.
    units
        What conditions share that a metric depends on, by metric.

    Returns
    -------
    DataFrame with the columns ``SEED_COLUMNS``, a row per run, averaging of trials, metric and
    segment; rows in which ``minus`` names a floor are differences, paired by seed and condition.

    - ``mean``: over seeds and conditions; ``sd``: over seeds, of each seed's mean over conditions.
    - ``low``, ``high``: 95 % interval over seeds and conditions, which are crossed
      (:func:`mua_decode.statistics.unit_interval`): for other seeds, other trials and other
      conditions like these. The noise of recorded trials is shared by all seeds but differs
      between conditions, so that it counts here; of these very conditions it is too wide.
    - ``low_seeds``, ``high_seeds``: 95 % t interval over seeds (n - 1 degrees of freedom), for
      other seeds on these very trials. Of other trials it covers less, the less the more seeds
      there are: .87, .83, .66 with 3, 5, 10 where trials are the larger noise.
    - ``units_low``, ``units_high``: the first over ``units``, seeds × cues say, which conditions
      share; ``n_units`` is the number of the factor with the fewest.

    A condition with an unknown score in some seed is left out of that seed alone; directions are
    never unknown where undefined ones count as guesses.
    All are NaN for one seed; those over seeds and conditions for two, and ``note`` says so. Seeds
    share the recording: neither speaks for other animals.
    """
    whole = pd.concat(
        [table.frame.assign(seed=seed) for seed, table in tables.items()], ignore_index=True
    )
    single = whole[(whole["condition"] != "all") & (whole["mask"] == "none")]
    rows = []
    for (trial, metric, segment, unit), part in single.groupby(_KEYS[1:], sort=False):
        value = part.set_index(["seed", "condition", "run"])["value"].unstack("run")  # noqa: PD010
        runs = [run for run in dict.fromkeys(part["run"]) if value[run].notna().any()]
        of = None if units is None else units.get(str(metric))
        labels = {"trial": trial, "metric": metric, "segment": segment, "unit": unit}
        for run in runs:
            found = _interval(value[run].dropna(), of, rng)
            rows.append({"run": run, **labels, "minus": "", **found})
        floors = [run for run in runs if run.startswith("floor/") and "decoder" in runs]
        for floor in floors:
            paired = (value["decoder"] - value[floor]).dropna()
            if not len(paired):
                continue
            found = _interval(paired, of, rng)
            rows.append({"run": "decoder", **labels, "minus": floor, **found})
    return pd.DataFrame(rows, columns=list(SEED_COLUMNS))


def _interval(
    value: pd.Series, units: NamedUnits | None, rng: np.random.Generator
) -> dict[str, object]:
    """Mean and intervals of values indexed by seed and condition."""
    table = value.unstack("condition")  # noqa: PD010
    by_seed = table.mean(axis=1).to_numpy()
    size = len(by_seed)
    sd = float(by_seed.std(ddof=1)) if size > 1 else np.nan
    reach = float(stats.t.ppf(0.975, size - 1)) * sd / size**0.5 if size > 1 else np.nan
    mean = float(by_seed.mean())
    seed, condition = (value.index.get_level_values(k).astype(str) for k in ("seed", "condition"))
    each = Units.crossed([("seeds", seed.to_numpy()), ("conditions", condition.to_numpy())])
    these = unit_interval(value.to_numpy(), each, rng=rng)
    kinds, others = each, these
    if units is not None:
        levels = [seed.to_numpy(str)[:, None], units.of(condition.tolist()).levels]
        kinds = Units(f"seeds × {units.name}", np.concatenate(levels, axis=1))
        others = unit_interval(value.to_numpy(), kinds, rng=rng)
    return {
        "mean": float(value.mean()), "sd": sd, "low": these.low, "high": these.high,
        "low_seeds": mean - reach, "high_seeds": mean + reach, "n_seeds": size,
        "n_conditions": table.shape[1], "interval_of": "other seeds, trials and conditions",
        "seeds_interval_of": "other seeds on these trials", "units": kinds.name,
        "n_units": kinds.count(value.to_numpy()), "units_low": others.low,
        "units_high": others.high, "note": these.reason or others.reason,
    }  # fmt: skip
