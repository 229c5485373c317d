"""Figures of masking: losses of the conditions, Shapley values, regions by segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from mua_decode import figures
from mua_decode.report import Picture, Statistics
from mua_decode.report.paper import TITLES, Results

_SHOWN = ("cue_pixels", "colour_error", "direction_error", "identification")


BOXES = (
    "Loss per condition; above zero is worse than with all regions. Stars mark losses only, "
    "tested on errors, for these conditions; one trained network, one split."
)
SHAPLEY = (
    "What a region adds to the score; bars of errors point down where it helps. With shuffled "
    "regions it is what the region adds against input that speaks for other conditions, for "
    "one draw of donors; zeros are input the network has never seen. Not corrected."
)


def boxes(
    protocol: str,
    losses: pd.DataFrame,
    tests: pd.DataFrame,
    *,
    title: str | None = None,
    metrics: Sequence[str] | None = None,
) -> list[Picture]:
    """Losses of the conditions per region, with marks of the tests the protocol reports.

    Of ``metrics``, by default the paper's (:func:`shown_of`).
    """
    trial = "trial_average" if protocol == "published" else "single_trial"
    chosen = losses[(losses["family"] == "region") & (losses["trial"] == trial)]
    chosen = chosen[chosen["metric"].isin(metrics or shown_of(chosen["metric"]))]
    if not chosen["loss"].notna().any():
        return []
    fill = str(chosen["fill"].iloc[0])
    values = chosen.rename(columns={"removed": "row", "loss": "value"})
    values = values[["row", "metric", "value", "unit"]]
    kind = "two-sample t" if protocol == "published" else "paired t"
    label = tests["metric"].astype(str).str.extract(r"^(?P<name>[^,]*), (?P<averaging>[^,]*)")
    marks = tests.assign(name=label["name"], averaging=label["averaging"])
    marks = marks[(marks["averaging"] == trial) & marks["name"].isin(chosen["metric"].unique())]
    marks = marks[marks["test"].astype(str).str.startswith(kind)]
    correction = str(marks["correction"].iloc[0]) if len(marks) else "none"
    test = str(marks["test"].iloc[0]) if len(marks) else ""
    known = chosen[chosen["loss"].notna()].groupby(["metric", "removed"]).size()
    n = _n(known.min(), known.max())
    if kind == "two-sample t" and len(marks):
        test = f"{test}, df up to {marks['df'].max():g}"
    no_p = len(marks) > 0 and not marks["p_corrected"].notna().any()
    marks = marks[(marks["effect"] > 0) | (marks["p_corrected"] >= 0.05)]  # stars mark losses
    marks = marks.rename(columns={"group": "row"}).drop(columns=["p", "metric"])
    marks = marks.rename(columns={"p_corrected": "p", "name": "metric"})
    marks = marks[marks["row"].isin(values["row"].unique()) & marks["p"].notna()]
    about = f"n = {n}, {test}, {correction}" if test else f"n = {n}, not tested here"
    about = f"n = {n}, no p-value (tests.csv says why)" if no_p else about
    figure = figures.boxes(
        values,
        tests=marks[["row", "metric", "p"]],
        title=f"Loss when a region is masked, {title or TITLES[protocol]}",
        note=f"{about}; fill {fill}, {trial.replace('_', ' ')}",
    )
    statistics = Statistics(n=n, test=test, correction=correction)
    return [Picture(figure, BOXES, statistics)]


def shapley_picture(results: Results, protocol: str) -> list[Picture]:
    """Shapley values of a step with the line they sum to."""
    table = results.read(protocol, "ablation/shapley.csv")
    return [] if table is None else shapley_bars(protocol, table, title=TITLES[protocol])


def shapley_bars(protocol: str, table: pd.DataFrame, *, title: str) -> list[Picture]:
    """Shapley values of the first fill with the line they sum to."""
    if not len(table):
        return []
    chosen = table[table["metric"].isin(shown_of(table["metric"]))]
    chosen = averaging(chosen[chosen["fill"] == chosen["fill"].iloc[0]], protocol)
    chosen = chosen[chosen["value"].notna()]
    if not len(chosen):
        return []
    rows = chosen.rename(columns={"region": "row"})
    ends = chosen.groupby("metric", sort=False).first().reset_index()
    lines = pd.DataFrame(
        {
            "metric": ends["metric"],
            "label": "all of these regions minus none",
            "value": ends["full"] - ends["nothing"],
        }
    )
    figure = figures.intervals(
        rows[["row", "metric", "value", "low", "high", "unit", "n"]],
        lines=lines,
        title=f"Shapley values, {title}",
        note=(
            f"n = {_n(chosen['n'].min(), chosen['n'].max())}, 95 % intervals over these "
            f"conditions; {_said(chosen)}"
        ),
    )
    return [Picture(figure, SHAPLEY)]


def segments(results: Results, protocol: str) -> list[Picture]:
    """Loss of a region masked in one segment only."""
    means = results.read(protocol, "ablation/means.csv")
    if means is None:
        return []
    chosen = averaging(means[means["family"] == "segment"], protocol)
    pictures: list[Picture] = []
    for metric in ("cue_pixels", "colour_error", "direction_error"):
        rows = chosen[chosen["metric"] == metric]
        if not rows["loss"].notna().any():
            continue
        place = rows["removed"].str.extract(r"^(?P<row>.*) in (?P<column>[^ ]+)$")
        cells = pd.concat([place, rows[["loss"]].rename(columns={"loss": "value"})], axis=1)
        unit = str(rows["unit"].iloc[0])
        name = metric.replace("_", " ")
        figure = figures.heatmap(
            cells,
            label=f"loss ({unit})",
            title=f"{name}: region masked in one segment only, {protocol}",
            note=f"{_said(rows)}, mean over conditions",
        )
        pictures.append(Picture(figure, f"{name.capitalize()}, region by segment, {protocol}."))
    return pictures


def shown_of(metrics: Iterable[str]) -> list[str]:
    """Metrics to draw: the paper's three and identification, or all where there is none of these.

    Movies have no cue, colour or direction.
    """
    there = list(dict.fromkeys(metrics))
    known = [m for m in _SHOWN if m in there]
    return known if len(known) > 1 else there


def _n(least: float, most: float) -> str:
    """Number of conditions; a direction is undefined in some."""
    return f"{most:g} conditions" if least == most else f"{least:g} to {most:g} conditions"


def averaging(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Rows of the averaging that a protocol reports: single trials first where rigorous.

    A metric that was not scored on single trials is shown on averages.
    """
    if protocol == "published":
        return table[table["trial"] == "trial_average"]
    single = table[table["trial"] == "single_trial"]
    rest = table[(table["trial"] == "trial_average") & ~table["metric"].isin(single["metric"])]
    return pd.concat([single, rest])


def _said(table: pd.DataFrame) -> str:
    """Which averaging each metric has, in words."""
    pairs = table[["metric", "trial"]].drop_duplicates().astype(str)
    kinds = [(m.replace("_", " "), t.replace("_", " ")) for m, t in pairs.to_numpy()]
    if len({trial for _, trial in kinds}) == 1:
        return kinds[0][1]
    return "; ".join(f"{metric}: {trial}" for metric, trial in kinds)
