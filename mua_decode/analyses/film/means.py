"""Means over blocks of time, each beside its null, and all on the blocks they share."""

from __future__ import annotations

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.analyses.film.correlation import METRIC
from mua_decode.statistics import pooled_interval
from mua_decode.types import HypothesisTable


def block_means(observed: pd.DataFrame) -> pd.DataFrame:
    """Mean over blocks with its 95 % interval over them, empty where there is one block.

    Parameters
    ----------
    observed
        As :func:`mua_decode.analyses.film.correlation.block_scores` returns it.

    Returns
    -------
    DataFrame with columns run, trial, metric, value, low, high, n (blocks), n_unit; and
    value_shared and n_shared, the same over the blocks that every decoder was tested on: values of
    different blocks are no comparison.
    """
    rows = []
    for (trial, metric), found in observed.groupby(["trial", "metric"], sort=False):
        shared = _shared(found)
        for run, own in found.groupby("run", sort=False):
            mean = pooled_interval(own["value"].to_numpy(float), own["block"].to_numpy())
            row = {"run": run, "trial": trial, "metric": metric, "value": mean.estimate}
            row |= {"low": mean.low, "high": mean.high, "n": len(own), "n_unit": "blocks of time"}
            both = own[own["block"].isin(shared)]
            rows.append({**row, "value_shared": both["value"].mean(), "n_shared": len(both)})
    order = {str(run): place for place, run in enumerate(dict.fromkeys(observed["run"]))}
    return pd.DataFrame(rows).sort_values("run", key=lambda r: r.map(order), kind="stable")


def _shared(found: pd.DataFrame) -> set[int]:
    """Blocks that every decoder was tested on."""
    return set.intersection(*(set(own["block"]) for _, own in found.groupby("run")))


def means_table(means: pd.DataFrame, tests: HypothesisTable) -> Table:
    """Lay the correlations over time out for the terminal, with n, interval, null and p.

    Parameters
    ----------
    means
        Of :func:`block_means`.
    tests
        Of :func:`mua_decode.analyses.film.null.against_shifts`.
    """
    own = means[means["metric"] == METRIC]
    alike = bool((own["n"] == own["n_shared"]).all())
    title = "r over time, mean over blocks; p: rank among shifts, one-sided, corrected by Holm"
    if not alike:
        title += "\nrows of different n are of different blocks: compare the last column alone"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    heads = ["r", "n\nblocks", "95 %\nover blocks", "mean of\nshifts", "p", "p\ncorrected"]
    shared = int(own["n_shared"].max()) if len(own) else 0
    if not alike:
        heads.append(f"r, the {shared}\nshared" if shared else "no block\nshared")
    for k, head in enumerate(["", "", *heads]):
        table.add_column(head, no_wrap=True, justify="left" if k < 2 else "right")
    tested = {(t["group"], t["metric"]): t for t in tests.frame.to_dict("records")}
    for row in own.to_dict("records"):
        trial = str(row["trial"]).replace("_", " ")
        test = tested[f"{row['run']}, whole film", f"{METRIC}, {trial}"]
        span = "-" if pd.isna(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
        null = row["value"] - float(test["effect"])
        cells = [f"{row['value']:.3f}", str(row["n"]), span, f"{null:.3f}"]
        cells += [f"{float(test[c]):.3g}" for c in ("p", "p_corrected")]
        if not alike:
            cells.append(f"{row['value_shared']:.3f}" if row["n_shared"] else "-")
        table.add_row(str(row["run"]).removeprefix("floor/").replace("_", " "), trial, *cells)
    return table
