"""Networks trained with fewer sites, trials or sessions, tested on the same trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.generalise.plan import CurvePlan
from mua_decode.data import DecodingData
from mua_decode.runs.findings import headlines
from mua_decode.runs.variants import Variant
from mua_decode.scoring.flat import key, number
from mua_decode.types import N_UNIT, ResultTable, Stream, units_named

SITES, TRIALS, SESSIONS = "sites", "training trials per condition and session", "sessions"


@dataclass(frozen=True)
class Point:
    """One point of a curve; ``mask`` labels it in tables, ``x`` None: the sites of its network."""

    axis: str
    x: float | None
    draw: int
    mask: str


def curve_variants(plan: CurvePlan, data: DecodingData, *, seed: int) -> dict[Point, Variant]:
    """Variants of every point that has less data than the run, whose own are ``data``."""
    variants: dict[Point, Variant] = {}
    regions = data.sites.region
    for share in sorted(plan.sites):
        number = {r: max(1, round(share * int((regions == r).sum()))) for r in np.unique(regions)}
        if sum(number.values()) >= data.n_sites:
            continue
        for draw in range(plan.draws):
            listed = json.dumps({str(r): n for r, n in number.items()})
            changes = [f"data.sites_per_region={listed}"]
            if draw:
                changes.append(f"data.sites_seed={1000 * draw + seed}")
            name = f"sites_{share:g}_draw_{draw}"
            mask = f"{sum(number.values())} sites, draw {draw}"
            variants[Point(SITES, None, draw, mask)] = Variant(name, tuple(changes))
    if not data.split.pooled_first:
        for trials in sorted(plan.train_trials):
            if trials < fewest_training_trials(data):
                change = f"data.split.train_trials={trials}"
                mask = f"{trials} training trials"
                variants[Point(TRIALS, trials, 0, mask)] = Variant(f"trials_{trials}", (change,))
    names = list(dict.fromkeys(data.pool.sites.session.tolist()))
    for draw in range(plan.draws):
        order = Stream.CURVE_SESSIONS.rng(seed, draw).permutation(len(names))
        for number_of in sorted(plan.sessions):
            if number_of < len(names):
                chosen = [names[i] for i in sorted(order[:number_of])]
                change = f"data.sessions={json.dumps(chosen)}"
                mask = f"{number_of} sessions, draw {draw}"
                name = f"sessions_{number_of}_draw_{draw}"
                variants[Point(SESSIONS, number_of, draw, mask)] = Variant(name, (change,))
    return variants


def fewest_training_trials(data: DecodingData) -> int:
    """Recorded training trials of the condition and session that have the fewest."""
    counts = _training_trials(data)
    return int(counts[counts > 0].min())


def _training_trials(data: DecodingData) -> np.ndarray:
    """Training trials of every session and condition, int (sessions, K)."""
    found = []
    for session, rows in data.split.trials["train"].items():
        site = int(np.flatnonzero(data.pool.sites.session == session)[0])
        condition = data.pool.condition[rows, site]
        found.append(np.bincount(condition, minlength=data.stimuli.n_conditions))
    return np.array(found)


def curve_table(
    tables: Mapping[Point, tuple[ResultTable, int]], own: ResultTable, data: DecodingData
) -> pd.DataFrame:
    """Tidy scores against the amount of data, the run itself last on every axis.

    ``tables`` are the scores of every point and the sites its network has, ``own`` and ``data``
    those of the run itself. The columns are axis, x, draw, run, trial, metric, segment, unit,
    value, n and n_unit.
    """
    counts = _training_trials(data)
    full = {
        SITES: data.n_sites,
        TRIALS: float(counts[counts > 0].mean()),
        SESSIONS: len(set(data.pool.sites.session.tolist())),
    }
    rows = []
    for axis in dict.fromkeys(p.axis for p in tables):
        for point, (table, n_sites) in tables.items():
            if point.axis == axis:
                rows.append(_rows(table, axis, n_sites if point.x is None else point.x, point.draw))
        rows.append(_rows(own, axis, full[axis], 0))
    columns = ["axis", "x", "draw", "run", "trial", "metric", "segment", "unit", "value", "n"]
    columns.append(N_UNIT)
    return pd.concat(rows, ignore_index=True)[columns]


def _rows(table: ResultTable, axis: str, x: float, draw: int) -> pd.DataFrame:
    both = pd.concat([headlines(table), headlines(table, trial="trial_average")])
    return units_named(both).assign(axis=axis, x=float(x), draw=draw)


def drawn_curves(curve: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Single-trial scores averaged over draws, for the figure; bars are ± s.d. over draws."""
    rows = curve[(curve["trial"] == "single_trial") & curve["metric"].isin(metrics)]
    keys = ["axis", "x", "run", "metric", "unit"]
    out = rows.groupby(keys, sort=False)["value"].agg(value="mean", sd="std").reset_index()
    out = out.rename(columns={"run": "series"})
    return out.assign(low=out["value"] - out["sd"], high=out["value"] + out["sd"])


def curve_metrics(curves: pd.DataFrame) -> dict[str, float | None]:
    """Flat keys ``curve/AXIS=X/draw_D/RUN/TRIAL/METRIC``."""
    found = {}
    for row in curves.to_dict("records"):
        point = f"{row['axis'].replace(' ', '_')}={row['x']:g}", f"draw_{row['draw']}"
        name = key("curve", *point, row["run"], row["trial"], row["metric"])
        found[name] = number(row["value"])
    return found
