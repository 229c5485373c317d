"""Tables of what regions contribute: masking, Shapley values, one region alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.losses import condition_interval
from mua_decode.report.results import (
    PaperTable,
    Results,
    beside,
    headline_rows,
    or_not,
)

MASKED = {"cue_pixels": "S4", "colour_error": "S5", "direction_error": "S6"}


def masking(results: Results, metric: str) -> PaperTable:
    """S4 to S6: what masking costs, and how far it moves the reconstruction."""
    parts: list[pd.DataFrame] = []
    known = results.published.get("masking", {}).get(metric)
    for protocol in results.protocols:
        means = results.read(protocol, "ablation/means.csv")
        changes = results.read(protocol, "ablation/changes.csv")
        if means is None or changes is None:
            continue
        chosen = means[means["family"].isin(["region", "group"]) & (means["metric"] == metric)]
        columns = ["removed", "fill", "trial", "loss", "sd", "low", "high", "n", "rank", "unit"]
        moved = changes[changes["metric"] == metric]
        moved = moved.rename(columns={"sd": "change_sd"})[
            ["removed", "fill", "change", "change_sd"]
        ]
        table = chosen[columns].merge(moved, on=["removed", "fill"], how="left")
        average = table["trial"] == "trial_average"
        table.loc[~average, ["change", "change_sd"]] = np.nan
        extra = [
            beside(known, r) if a else {} for r, a in zip(table["removed"], average, strict=True)
        ]
        table = pd.concat([table, pd.DataFrame(extra, index=table.index)], axis=1)
        table.insert(0, "protocol", protocol)
        parts.append(table.rename(columns={"removed": "region"}))
    what = {
        "cue_pixels": "Masking, shape: pixels of the cue",
        "colour_error": "Masking, colour: RGB",
        "direction_error": "Masking, motion: degrees",
    }[metric]
    title = (
        f"{what}. Loss: error against the truth added by masking. Change: distance from the "
        "unmasked reconstruction, as published, never below zero even where nothing is lost"
    )
    reason = results.reason("ablation", f"{metric} cannot be measured in it")
    frame = pd.concat(parts, ignore_index=True) if any(map(len, parts)) else None
    return or_not(f"{MASKED[metric]}_masking_{metric}", title, frame, reason)


def step_tests(results: Results, step: str, name: str, title: str) -> PaperTable:
    """Every test that a step made."""
    frame = results.both(f"{step}/tests.csv", lambda tests: tests)
    return or_not(name, title, frame, results.reason(step, "the step has no tests"))


def alone(results: Results) -> PaperTable:
    """S8: networks trained on one region."""

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = headline_rows(table)
        rows = rows[rows["run"].isin(["decoder", "floor/lookup", "chance/noise"])]
        rows = rows.rename(columns={"mask": "sites"})
        known = results.published.get("alone", {})
        rows = rows[["sites", "run", "trial", "metric", "value", "unit", "n"]]
        extra = [
            beside(known.get(m), str(s).removeprefix("only ")) if own else {}
            for m, s, own in zip(
                rows["metric"],
                rows["sites"],
                (rows["run"] == "decoder") & (rows["trial"] == "trial_average"),
                strict=True,
            )
        ]
        return pd.concat([rows.reset_index(drop=True), pd.DataFrame(extra)], axis=1)

    title = (
        "One region alone: networks trained on its sites only; undefined directions count as 90 "
        "degrees off"
    )
    frame = results.both("isolate/results.csv", make)
    return or_not("S8_alone", title, frame, results.reason("isolate", "not done"))


def shapley(results: Results) -> PaperTable:
    """S15: Shapley values."""
    frame = results.both("ablation/shapley.csv", lambda table: table)
    title = (
        "Shapley values: what a region adds, over all orders of adding regions; 95 % intervals "
        "over conditions, uncorrected, one draw of donors"
    )
    return or_not("S15_shapley", title, frame, results.reason("ablation", "not done"))


def equal_sites(results: Results) -> PaperTable:
    """S16: equal numbers of sites masked."""

    def make(losses: pd.DataFrame) -> pd.DataFrame | None:
        rows = losses[losses["family"] == "equal"]
        if not len(rows):
            return None
        drawn = rows["removed"].str.extract(
            r"^(?P<sites>\d+) of (?P<region>.*), draw (?P<draw>\d+)$"
        )
        rows = pd.concat([rows, drawn], axis=1)
        keys = ["fill", "trial", "metric", "unit", "region", "sites"]
        out: list[dict[str, object]] = []
        for key, part in rows.groupby(keys, sort=False):
            over_draws = part.groupby("condition", sort=False)["loss"].mean().dropna()
            interval = condition_interval(over_draws.to_numpy())
            out.append(
                dict(zip(keys, key, strict=True))
                | {
                    "draws": part["draw"].nunique(),
                    "loss": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "n": len(over_draws),
                }
            )
        return pd.DataFrame(out)

    frame = results.both("ablation/losses.csv", make)
    title = (
        "Masking equal numbers of sites, loss averaged over draws: is it the region or its size? "
        "95 % bootstrap intervals over conditions, one draw of donors"
    )
    return or_not("S16_equal_sites", title, frame, results.reason("ablation", "not done"))
