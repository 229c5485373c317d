"""Rows of the leaderboard: means over seeds, with intervals over seeds and conditions."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mua_decode.analyses.repeat.statistics import seed_summary
from mua_decode.leaderboard.entries import Entry
from mua_decode.leaderboard.plan import UNSEEN
from mua_decode.types import LeakState, ResultTable, Stream, whole

AMONG = "identified_among_"
_SHARES = ("fraction of trials", "share")  # none lies below 0 or above 1
COLUMNS = (
    "dataset", "videos", "method", "minus", "metric", "unit", "value", "sd", "low", "high",
    "interval_of", "units", "n_units", "units_low", "units_high", "n_seeds", "n_conditions",
    "note", "chance", "train_s", "parameters", "leaking", "seed",
)  # fmt: skip


def standings(dataset: str, entries: Sequence[Entry], *, seed: int) -> pd.DataFrame:
    """Rows of the networks trained on a dataset, and of the floors beside them.

    Single trials, the whole video or a metric's only segment.

    Returns
    -------
    DataFrame
        Columns ``COLUMNS``. ``value`` is the mean over seeds and conditions, ``sd`` over seeds;
        ``low`` to ``high`` the 95 % interval for other seeds, trials and conditions,
        ``units_low`` to ``units_high`` that over ``units`` which conditions share, of
        :func:`mua_decode.analyses.repeat.statistics.seed_summary`, NaN with fewer than three seeds
        (``note``). Rows in
        which ``minus`` names a floor are differences, paired by seed and condition. ``chance`` is
        that of guessing, where a metric identifies; ``train_s`` the seconds of one training,
        mean over seeds; floors have neither that nor ``parameters``.
    """
    tables = []
    for question in dict.fromkeys(e.question for e in entries):
        asked = [e for e in entries if e.question == question]
        # Every network is scored beside the ceiling, the first method beside the floors as well.
        floors = {e.seed: e.table.frame[_is_floor(e.table)] for e in reversed(asked)}
        for method in dict.fromkeys(e.method for e in asked):
            own = [e for e in asked if e.method == method]
            tables.append(_of_method(own, floors, seed).assign(videos=question))
    table = pd.concat(tables, ignore_index=True).assign(dataset=dataset, seed=seed)
    first_seen = ["videos", "method", "minus", "metric"]  # floors stand beside every method
    table = table.drop_duplicates(first_seen)
    share = table["unit"].isin(_SHARES) & (table["minus"] == "")
    for end in ("low", "high", "units_low", "units_high"):
        table[end] = table[end].where(~share, table[end].clip(0, 1))
    order = table["method"].str.startswith(("floor/", "ceiling/"))
    return (
        table.assign(_last=order)
        .sort_values(["videos", "_last"], ascending=[False, True], kind="stable")[list(COLUMNS)]
        .reset_index(drop=True)
    )


def _of_method(
    entries: Sequence[Entry], floors: dict[int, pd.DataFrame], seed: int
) -> pd.DataFrame:
    """Means over the seeds of one method, and of the floors of these seeds."""
    tables = {}
    for entry in entries:
        frame = entry.table.frame
        rows = [frame[frame["run"] == "decoder"], floors[entry.seed]]
        tables[entry.seed] = ResultTable(pd.concat(rows, ignore_index=True))
    first = entries[0]
    found = seed_summary(tables, rng=Stream.SEED_INTERVALS.rng(seed), units=first.units)
    found = found[found["trial"] == "single_trial"]
    found = pd.concat([whole(found[found["minus"] == ""]), whole(found[found["minus"] != ""])])
    trained = found["run"] == "decoder"
    seconds = sum(e.seconds for e in entries) / len(entries)
    chance = [first.metrics.get(f"chance/{metric}") for metric in found["metric"]]
    return found.assign(
        method=found["run"].replace("decoder", first.method),
        value=found["mean"],
        chance=pd.Series(chance, index=found.index, dtype=float),
        train_s=pd.Series(seconds, found.index).where(trained),
        parameters=pd.Series(float(first.parameters), found.index).where(trained),
        leaking=LeakState.worst(e.metrics["leaking"] for e in entries).flag,
    )


def _is_floor(table: ResultTable) -> pd.Series:
    return table.frame["run"].str.startswith(("floor/", "ceiling/"))


def encoder_rows(dataset: str, curve: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Rows of ``mua-decode likelihood``: identified among all that were left out together.

    The interval is over the groups of conditions that left as a whole; nothing is drawn anew.
    """
    most = curve[curve["candidates"] == curve["candidates"].max()]
    names = {"likelihood": "through_encoder"}
    return pd.DataFrame(
        {
            "dataset": dataset,
            "videos": UNSEEN,
            "method": [names.get(m, f"{m} (likelihood's folds)") for m in most["method"]],
            "minus": "",
            "metric": [f"{AMONG}{n}" for n in most["candidates"]],
            "unit": "share",
            "value": most["accuracy"].to_numpy(),
            "low": most["low"].to_numpy(),
            "high": most["high"].to_numpy(),
            "interval_of": "other " + most["n_unit"],
            "units": most["n_unit"].to_numpy(),
            "n_units": most["n"].to_numpy(),
            "chance": most["chance"].to_numpy(),
            "note": "",
            "leaking": False,
            "seed": seed,
        },
        columns=list(COLUMNS),
    )
