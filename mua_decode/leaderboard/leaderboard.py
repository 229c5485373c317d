"""Every method on every recording: what was trained and asked, put into one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mua_decode import __version__, figures
from mua_decode.leaderboard.entries import Entry, through_encoder, train_entries
from mua_decode.leaderboard.plan import UNSEEN, LeaderboardPlan
from mua_decode.leaderboard.standings import AMONG, encoder_rows, standings
from mua_decode.runs.drawn import Drawing
from mua_decode.runs.findings import Findings, score_table
from mua_decode.scoring.flat import key, number
from mua_decode.types import InputError, LeakState, ResultTable

_SHOWN = ("identification", "among_held_out_identified", "pixel_correlation", "ssim")


def leaderboard(plan: LeaderboardPlan, folder: Path) -> Findings:
    """Train and score every method on every dataset, in folders of ``folder``.

    Raises InputError if an option cannot be used, or nothing could be trained on any dataset.

    Returns
    -------
    Findings
        Table ``leaderboard`` has a row per dataset, videos (shown, never shown), method and
        metric, see :func:`mua_decode.leaderboard.standings.standings`; ``differences`` has every
        method less every floor. Results hold every seed.
    """
    tables, scores = [], []
    failures: dict[str, str] = {}
    for name in plan.dataset:
        place = folder / name
        try:  # what cannot be asked of one keeps nothing from the others
            if plan.questions(name):
                outcome = train_entries(plan, name, place)
                failures |= {f"{name}/{k}": why for k, why in outcome.failures.items()}
                entries = list(outcome.found.values())
                tables.append(standings(name, entries, seed=plan.seed))
                scores += [_labelled(name, entry) for entry in entries]
        except InputError as error:
            failures[name] = str(error)
        try:
            if plan.dataset[name].likelihood is not None:
                curve = through_encoder(plan, name, place / "likelihood")
                tables.append(encoder_rows(name, curve, seed=plan.seed))
        except InputError as error:
            failures[f"{name}/through_encoder"] = str(error)
    if not tables:
        what, why = next(iter(failures.items()), ("leaderboard", "nothing is asked"))
        raise InputError(f"{what}: {why}")
    table = pd.concat(tables, ignore_index=True)
    own, less = table[table["minus"] == ""], table[table["minus"] != ""]
    own = own.drop(columns="minus")
    results = ResultTable.concat(scores) if scores else ResultTable.from_rows([])
    return Findings(
        results=results,
        metrics=_flat(own, failures, plan),
        tables={"leaderboard": own, "differences": less},
        figures=_drawn(own),
        screen=[*filter(None, [_below(own)]), *_screen(own)],
    )


def _labelled(dataset: str, entry: Entry) -> ResultTable:
    """Scores of an entry; ``run`` is the method or a floor, ``split`` says the rest."""
    frame = entry.table.frame
    part = f"{dataset}, {entry.question}, seed_{entry.seed}: " + frame["split"]
    run = frame["run"].replace("decoder", entry.method)
    return ResultTable(frame.assign(run=run, split=part))


def _flat(own: pd.DataFrame, failures: Mapping[str, str], plan: LeaderboardPlan) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "version": __version__,
        "seed": plan.seed,
        "n_seeds": plan.n_seeds,
        "leaking": LeakState.worst(own["leaking"]).flag,
        "failed": dict(failures),
    }
    if below := _below(own):
        flat["below_floors"] = below
    for row in own.to_dict("records"):
        name = key(row["dataset"], row["videos"], row["method"], row["metric"])
        flat |= {f"{name}/{end}": number(row[end]) for end in ("value", "low", "high")}
    return flat


def _below(own: pd.DataFrame) -> str:
    """Which methods identify fewer trials than a floor does, in one line; empty if none."""
    said: dict[str, None] = {}
    rows = own[own["metric"].isin(["identification", "among_held_out_identified"])]
    for (dataset, videos, _), part in rows.groupby(["dataset", "videos", "metric"], sort=False):
        values = {str(m): float(v) for m, v in zip(part["method"], part["value"], strict=True)}
        floors = {m: v for m, v in values.items() if m.startswith("floor/")}
        best = max(floors, key=lambda m: floors[m], default="")
        under = [m for m, v in values.items() if best and "/" not in m and v < floors[best]]
        if under:
            where = f"{dataset}, {str(videos).replace('_', ' ')}"
            floor = f"{best.partition('/')[2]} ({floors[best]:.3f})"
            said[f"{where}: {', '.join(under)} below {floor}"] = None
    return "fewer identified than a floor does: " + "; ".join(said) if said else ""


def _drawn(own: pd.DataFrame) -> dict[str, Drawing]:
    """One figure per dataset and way: a row per method, shown and never shown."""
    drawn: dict[str, Drawing] = {}
    trained = ~own["metric"].str.startswith(AMONG)
    for name in dict.fromkeys(own["dataset"]):
        for what, chosen, bars in (
            ("", trained, "95 % over seeds and conditions"),
            ("_through_encoder", ~trained, "95 % over what was left out"),
        ):
            part = own[(own["dataset"] == name) & chosen]
            if len(part):
                rows = part.rename(columns={"method": "row", "videos": "series"})
                title = f"{name}: single trials"
                drawn[f"{name}{what}"] = partial(figures.comparison, rows, title=title, bars=bars)
    return drawn


def _screen(own: pd.DataFrame) -> Iterable[Any]:
    for (dataset, videos), part in own.groupby(["dataset", "videos"], sort=False):
        metrics = [m for m in _SHOWN if m in set(part["metric"])]
        metrics += [m for m in dict.fromkeys(part["metric"]) if m not in metrics]
        said = "never shown" if videos == UNSEEN else "shown in training"
        title = f"{dataset}, videos {said}: single trials, mean ± s.d. over seeds"
        yield score_table(part, title=title, names=["method"], metrics=metrics)
