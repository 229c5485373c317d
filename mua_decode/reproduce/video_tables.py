"""Tables of decoded videos: shape, colour, motion, baselines, generalisation, noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mua_decode.metrics import circular_mean_deg, circular_sd_deg
from mua_decode.report.results import (
    PaperTable,
    Results,
    beside,
    headline_rows,
    or_not,
    spread,
)
from mua_decode.statistics import correct, permutation_null, v_test
from mua_decode.types import HypothesisTable, whole

_HEADLINE = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")


def cue_shape(results: Results) -> PaperTable:
    """S1: correlation of cue frames."""

    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if not {"cue_shape", "cue"} <= set(measures):
            return None
        rows = [
            {"videos": kind, "cue": cue, **spread(part["cue_shape"])}
            | _published(results.published.get("cue_shape"), str(cue), str(kind))
            for (kind, cue), part in measures.groupby(["videos", "cue"], sort=False)
        ]
        return pd.DataFrame(rows)

    title = "Cue shape: Pearson r of decoded and true cue frames over the conditions of each cue"
    frame = results.both("decoder/measures.csv", make)
    return or_not("S1_cue_shape", title, frame, "its conditions have no cue")


def colour(results: Results) -> PaperTable:
    """S2: RGB at points of the aperture."""
    names = {"colour_correlation": "correlation", "colour_cosine": "cosine", "colour_error": ""}

    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if "colour_error" not in measures or "colour" not in measures:
            return None
        rows = [
            {"videos": kind, "measure": metric, **spread(part[metric])}
            | _published(results.published.get("colour"), known, str(kind))
            for kind, part in measures.groupby("videos", sort=False)
            for metric, known in names.items()
        ]
        return pd.DataFrame(rows)

    title = "Colour: true and decoded RGB at four points of the aperture, over conditions"
    frame = results.both("decoder/measures.csv", make)
    return or_not("S2_colour", title, frame, "its conditions have no colour")


def motion(results: Results) -> PaperTable:
    """S3: directions of optical flow."""

    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if "angle_deg" not in measures or "direction_deg" not in measures:
            return None
        rows = []
        for (kind, direction), part in measures.groupby(["videos", "direction_deg"], sort=False):
            angle = part["angle_deg"].to_numpy()
            known = int(np.isfinite(angle).sum())
            rows.append(
                {
                    "videos": kind,
                    "rendered_deg": direction,
                    "measured_deg": float(circular_mean_deg(angle)),
                    "sd_deg": float(circular_sd_deg(angle)) if known > 1 else np.nan,
                    "n": known,
                    "n_undefined": len(angle) - known,
                }
                | _published(results.published.get("motion"), f"{direction:g}", str(kind))
            )
        return pd.DataFrame(rows)

    title = "Motion: direction of optical flow, circular mean and s.d. over conditions"
    frame = results.both("decoder/measures.csv", make)
    return or_not("S3_motion", title, frame, "its conditions have no direction of motion")


def _published(known: Any, name: str, videos: str) -> dict[str, float]:
    """Published value, beside what was decoded only: the paper has no floors."""
    return beside(known, name) if videos.startswith("decoded") else {}


def motion_tests(results: Results) -> PaperTable:
    """Do measured directions follow the rendered ones? Conditions are permuted for the second p."""

    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if "angle_deg" not in measures or "direction_deg" not in measures:
            return None
        rng = np.random.default_rng(0)
        tables: list[HypothesisTable] = []
        for kind, part in measures.groupby("videos", sort=False):
            defined = part[part["angle_deg"].notna()]
            if len(defined) < 2:
                continue
            error = (part["angle_deg"] - part["direction_deg"]).to_numpy()
            straight = v_test(
                error,
                0.0,
                question="do measured directions point where they were rendered?",
                group=str(kind),
                metric="angle_deg",
                n_unit="conditions",
                rng=rng,
            ).frame
            passes = "one constant direction may pass: see the permutation"
            note = straight["note"].where(straight["note"] == "", straight["note"] + "; ") + passes
            tables.append(HypothesisTable(straight.assign(note=note)))
            left_out = f"{len(part) - len(defined)} conditions without a direction left out"
            angle, true = (defined[c].to_numpy() for c in ("angle_deg", "direction_deg"))
            tables.append(_permuted_directions(angle, true, str(kind), rng, left_out))
        if not tables:
            return None
        return correct(HypothesisTable.concat(tables), method="holm", within=["test"]).frame

    title = "Motion: circular tests of measured against rendered directions"
    frame = results.both("decoder/measures.csv", make)
    return or_not("S21_motion_tests", title, frame, "its conditions have no direction of motion")


def _permuted_directions(
    angle: np.ndarray, true: np.ndarray, kind: str, rng: np.random.Generator, note: str
) -> HypothesisTable:
    """One constant direction passes no permutation of conditions, though it may pass a V-test."""

    def agreement(directions: np.ndarray) -> float:
        return float(np.cos(np.deg2rad(angle - directions)).mean())

    found = permutation_null(agreement, true, rng=rng, n=9999)
    row = {
        "question": "do measured directions follow the condition?",
        "group": kind,
        "metric": "angle_deg",
        "test": "permutation of rendered directions over conditions, one-sided (9999)",
        "statistic": float(found.observed),
        "p": float(found.p),
        "n": len(angle),
        "n_unit": "conditions",
        "effect_name": "mean cosine of the error",
        "effect": float(found.observed),
        "note": note,
    }
    return HypothesisTable.from_rows([row])


def compare(results: Results) -> PaperTable:
    """S13: baselines, floors and ceiling."""

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        return headline_rows(table)[["run", "trial", "metric", "value", "unit", "n"]]

    title = (
        "Baselines trained under identical settings, floors and ceiling; undefined directions "
        "count as 90 degrees off"
    )
    frame = results.both("compare/results.csv", make)
    return or_not("S13_baselines", title, frame, results.reason("compare", "not done"))


def folds(results: Results) -> PaperTable:
    """S14: mean and s.d. over folds."""

    def make(summary: pd.DataFrame) -> pd.DataFrame | None:
        return whole(summary).drop(columns=["segment"]).reset_index(drop=True)

    title = "Cross-validation: mean and s.d. over folds"
    frame = results.both("crossval/summary.csv", make)
    return or_not("S14_folds", title, frame, results.reason("crossval", "not done"))


def seeds(results: Results) -> PaperTable:
    """S22: intervals over seeds and conditions."""

    def make(summary: pd.DataFrame) -> pd.DataFrame | None:
        rows = whole(summary)
        rows = rows[rows["metric"].isin(_HEADLINE)]
        return rows.drop(columns=["segment"]).fillna({"minus": ""}).reset_index(drop=True)

    title = (
        "Other seeds: mean, s.d. over seeds, 95 % bootstrap over seeds and conditions (low, high) "
        "and t interval over seeds (low_seeds, high_seeds)"
    )
    frame = results.both("repeat/intervals.csv", make)
    return or_not("S22_seeds", title, frame, results.reason("repeat", "not done"))


def held_out(results: Results) -> PaperTable:
    """S17: conditions never trained on."""

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = headline_rows(table)
        rows = rows[rows["split"].str.contains("held out")]
        return rows[["split", "run", "trial", "metric", "value", "unit", "n"]]

    title = "Conditions never trained on; undefined directions count as 90 degrees off"
    frame = results.both("generalise/results.csv", make)
    why = "only the rigorous protocol asks this"
    return or_not("S17_held_out", title, frame, results.reason("generalise", why))


def curves(results: Results) -> PaperTable:
    """S18: learning curves."""

    def make(curves: pd.DataFrame) -> pd.DataFrame | None:
        return curves[curves["metric"].isin(_HEADLINE)].reset_index(drop=True)

    title = (
        "Learning curves over sites, training trials and sessions; undefined directions count as "
        "90 degrees off"
    )
    frame = results.both("generalise/curves.csv", make)
    why = "only the rigorous protocol asks this"
    return or_not("S18_learning_curves", title, frame, results.reason("generalise", why))


def noise(results: Results) -> PaperTable:
    """S20: what is found in noise."""
    rows = []
    for protocol in results.protocols:
        found = results.canary(protocol)
        if found is not None:
            rows.append({"protocol": protocol, **found})
    title = "Noise control: identification on Poisson noise of the recording's own rates"
    frame = pd.DataFrame(rows) if rows else None
    return or_not("S20_noise", title, frame, results.reason("noise", "not done"))
