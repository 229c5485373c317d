"""Networks trained with fewer sites, trials or sessions, tested on the same trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.data import DecodingData
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.source import headlines
from mua_decode.runs.variants import Variant
from mua_decode.types import InputError, ResultTable

SITES, TRIALS, SESSIONS = "sites", "training trials per condition and session", "sessions"


@dataclass(frozen=True, kw_only=True)
class CurvePlan:
    """Which points of the learning curves are trained, beside the run itself.

    Parameters
    ----------
    sites
        Shares of the sites of every region, at least one site of each.
    train_trials
        Recorded training trials per condition and session.
    sessions
        Numbers of sessions.
    draws
        Random subsets of sites and of sessions; within one draw smaller subsets lie inside larger
        ones. The trials are thinned in one way.

    Raises
    ------
    InputError
        If a share is not in (0, 1) or a number is below 1.
    """

    sites: Sequence[float] = (0.125, 0.25, 0.5)
    train_trials: Sequence[int] = (2, 4, 8)
    sessions: Sequence[int] = (1, 2, 4)
    draws: int = 1

    def __post_init__(self) -> None:
        if not all(0 < share < 1 for share in self.sites):
            raise InputError(f"curves.sites: expected shares in (0, 1), found {list(self.sites)}")
        if min([*self.train_trials, *self.sessions, self.draws]) < 1:
            raise InputError("curves: train_trials, sessions and draws must be at least 1")


@dataclass(frozen=True)
class Point:
    """One point of a curve; ``mask`` is its label in result tables, ``x`` None is in its run."""

    axis: str
    x: float | None
    draw: int
    mask: str


def curve_variants(plan: CurvePlan, data: DecodingData, *, seed: int) -> dict[Point, Variant]:
    """Variants of every point that has less data than the run.

    Parameters
    ----------
    data
        Of the run itself.
    """
    variants: dict[Point, Variant] = {}
    regions = data.pool.sites.region
    for share in sorted(plan.sites):
        number = {r: max(1, round(share * int((regions == r).sum()))) for r in np.unique(regions)}
        if sum(number.values()) >= data.n_sites:
            continue
        for draw in range(plan.draws):
            changes = [
                f"data.sites_per_region={json.dumps({str(r): n for r, n in number.items()})}"
            ]
            if draw:
                changes.append(f"data.sites_seed={1000 * draw + seed}")
            name = f"sites_{share:g}_draw_{draw}"
            mask = f"{sum(number.values())} sites, draw {draw}"
            variants[Point(SITES, None, draw, mask)] = Variant(name, tuple(changes))
    if not data.leaking:
        for trials in sorted(plan.train_trials):
            if trials < fewest_training_trials(data):
                change = f"data.split.train_trials={trials}"
                mask = f"{trials} training trials"
                variants[Point(TRIALS, trials, 0, mask)] = Variant(f"trials_{trials}", (change,))
    names = list(dict.fromkeys(data.pool.sites.session.tolist()))
    for draw in range(plan.draws):
        order = np.random.default_rng([seed, 41, draw]).permutation(len(names))
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
    tables: Mapping[Point, ResultTable],
    variants: Mapping[Point, Variant],
    own: ResultTable,
    data: DecodingData,
    folder: Path,
) -> pd.DataFrame:
    """Tidy scores against the amount of data, the run itself last on every axis.

    Returns
    -------
    DataFrame with columns axis, x, draw, run, trial, metric, segment, unit, value and n.
    """
    points = list(dict.fromkeys(p.axis for p in tables))
    counts = _training_trials(data)
    full = {
        SITES: data.n_sites,
        TRIALS: float(counts[counts > 0].mean()),
        SESSIONS: len(set(data.pool.sites.session.tolist())),
    }
    rows = []
    for axis in points:
        for point, table in tables.items():
            if point.axis == axis:
                x = point.x if point.x is not None else _n_sites(folder, variants[point])
                rows.append(_rows(table, axis, x, point.draw))
        rows.append(_rows(own, axis, full[axis], 0))
    columns = ["axis", "x", "draw", "run", "trial", "metric", "segment", "unit", "value", "n"]
    return pd.concat(rows, ignore_index=True)[columns]


def _n_sites(folder: Path, variant: Variant) -> int:
    flat = json.loads(RunFolder(folder / variant.name).metrics.read_text())
    return int(flat["n_sites"])


def _rows(table: ResultTable, axis: str, x: float, draw: int) -> pd.DataFrame:
    both = pd.concat([headlines(table), headlines(table, trial="trial_average")])
    return both.assign(axis=axis, x=float(x), draw=draw)


def drawn_curves(curve: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Single-trial scores averaged over draws, for the figure; bars are ± s.d. over draws."""
    rows = curve[(curve["trial"] == "single_trial") & curve["metric"].isin(metrics)]
    keys = ["axis", "x", "run", "metric", "unit"]
    out = rows.groupby(keys, sort=False)["value"].agg(value="mean", sd="std").reset_index()
    out = out.rename(columns={"run": "series"})
    return out.assign(low=out["value"] - out["sd"], high=out["value"] + out["sd"])
