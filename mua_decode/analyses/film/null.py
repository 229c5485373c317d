"""What decoding gives where responses lie at the wrong place of the film."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mua_decode.analyses.film.correlation import METRIC
from mua_decode.statistics import correct, paired_t, rank_p
from mua_decode.types import HypothesisTable, InputError

_FOLDS = "network=folds trains one in every fold, so that every block is compared"


def shifts_s(n: int, *, duration_s: float, least_s: float) -> np.ndarray:
    """Shifts (n,) in seconds, spread evenly over a film, at least ``least_s`` from none at all.

    Raises InputError if the film is too short for them.
    """
    if duration_s < 3 * least_s:
        raise InputError(
            f"film: {duration_s:g} s are too short for circular shifts of at least {least_s:g} s; "
            "make data.cut.length_s shorter"
        )
    return np.linspace(least_s, duration_s - least_s, n)


def against_shifts(
    observed: pd.DataFrame, null: pd.DataFrame, names: dict[int, str]
) -> HypothesisTable:
    """Test the correlation over time of every decoder, over all blocks and block by block.

    One-sided p from the rank of the observed score among those of the shifts. Holm over the
    decoders for the whole, over decoders and blocks for the blocks.

    Parameters
    ----------
    names
        Name of every block.
    """
    tables = []
    for trial in ("single_trial", "trial_average"):
        seen, ring = (t[(t["metric"] == METRIC) & (t["trial"] == trial)] for t in (observed, null))
        whole, each = [], []
        for run in map(str, dict.fromkeys(seen["run"])):
            own = seen[seen["run"] == run]
            other = ring[ring["run"] == run].pivot_table(
                index="shift_s", columns="block", values="value"
            )
            value = own.set_index("block")["value"]
            whole.append(_row(run, trial, "whole film", value.mean(), other.mean(axis=1), len(own)))
            for block, score in zip(own["block"].tolist(), own["value"].tolist(), strict=True):
                if block in other:
                    each.append(_row(run, trial, names[int(block)], score, other[block], 1))
        for rows in (whole, each):
            if rows:
                tables.append(correct(HypothesisTable.from_rows(rows), within=["metric"]))
    return HypothesisTable.concat(tables)


def against_floors(observed: pd.DataFrame) -> HypothesisTable:
    """Compare the network with every floor over the blocks that both were tested on.

    Paired t over blocks, Holm over the floors; without two such blocks there is no p-value, and
    the note says what to type.
    """
    tables = []
    for trial in ("single_trial", "trial_average"):
        seen = observed[(observed["metric"] == METRIC) & (observed["trial"] == trial)]
        by_run = seen.pivot_table(index="block", columns="run", values="value")
        rows = [
            paired_t(
                *by_run[["decoder", floor]].dropna().to_numpy(float).T,
                n_unit="blocks of time",
                question="does the network decode more than the floor?",
                group=f"decoder - {floor}",
                metric=f"{METRIC}, {trial.replace('_', ' ')}",
            )
            for floor in by_run.columns
            if "decoder" in by_run and floor != "decoder"
        ]
        if rows:
            tables.append(correct(HypothesisTable.concat(rows)))
    frame = HypothesisTable.concat(tables).frame
    untested = frame["p"].isna() & (frame["n"].isna() | (frame["n"] < 2))
    note = frame["note"].where(~untested, frame["note"].str.cat([_FOLDS] * len(frame), sep="; "))
    return HypothesisTable(frame.assign(note=note.str.removeprefix("; ")))


def unpaired(beside: HypothesisTable) -> list[str]:
    """Why network and floors are not compared, in a line; none where they are."""
    lost = beside.frame["note"].str.contains(_FOLDS, regex=False)
    if not lost.any():
        return []
    return [
        f"no test of the network against floors, tested on fewer than 2 shared blocks: {_FOLDS}"
    ]


def _row(
    run: str, trial: str, where: str, value: float, null: pd.Series, n: int
) -> dict[str, object]:
    ring = null.to_numpy(float)
    low, high = value - np.nanquantile(ring, [0.975, 0.025])
    return {
        "question": "is more decoded than from responses turned round the film?",
        "group": f"{run}, {where}",
        "metric": f"{METRIC}, {trial.replace('_', ' ')}",
        "test": f"rank among {len(ring)} circular shifts of the responses, one-sided (larger)",
        "statistic": value,
        "p": float(rank_p(ring, value)),
        "n": n,
        "n_unit": "blocks of time",
        "effect_name": "difference to the mean of the shifts",
        "effect": value - float(np.nanmean(ring)),
        "low": low,
        "high": high,
    }
