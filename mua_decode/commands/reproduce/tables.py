"""The tables of the paper, ours beside the published values, both protocols side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.metrics import circular_mean_deg, circular_sd_deg

_MASKED = {"cue_pixels": "S4", "colour_error": "S5", "direction_error": "S6"}
_HEADLINE = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")


@dataclass(frozen=True, eq=False)
class PaperTable:
    """A table of the paper, or the reason why this recording has none.

    Parameters
    ----------
    name
        ``S1_cue_shape``: its number and file name.
    title
        Its caption.
    frame
        None where it does not apply.
    reason
        Why it does not apply or is missing.
    """

    name: str
    title: str
    frame: pd.DataFrame | None
    reason: str = ""


class Results:
    """The files of all steps, read as needed.

    Parameters
    ----------
    out
        Folder of the reproduction.
    protocols
        Their names.
    published
        Values printed in the paper (conf/published).
    reasons
        Step key to the reason why it is missing.
    """

    def __init__(
        self,
        out: Path,
        protocols: Sequence[str],
        *,
        published: Mapping[str, Any],
        reasons: Mapping[str, str],
    ) -> None:
        self.out, self.protocols = out, list(protocols)
        self.published, self.reasons = published, reasons

    def read(self, protocol: str, name: str) -> pd.DataFrame | None:
        """Read ``PROTOCOL/NAME``, a CSV file; None where it is missing or empty."""
        step = f"{protocol}/{name.split('/')[0]}"
        path = self.out / protocol / name
        if step in self.reasons or not path.is_file():
            return None
        try:
            return pd.read_csv(path)
        except pd.errors.EmptyDataError:
            return None

    def both(
        self, name: str, make: Callable[[pd.DataFrame], pd.DataFrame | None]
    ) -> pd.DataFrame | None:
        """Stack what ``make`` makes of a file of every protocol, with a column ``protocol``."""
        parts: list[pd.DataFrame] = []
        for protocol in self.protocols:
            frame = self.read(protocol, name)
            made = None if frame is None else make(frame)
            if made is not None and len(made):
                made.insert(0, "protocol", protocol)
                parts.append(made)
        return pd.concat(parts, ignore_index=True) if parts else None

    def reason(self, step: str, otherwise: str) -> str:
        """Why a step has no result."""
        for protocol in self.protocols:
            if f"{protocol}/{step}" in self.reasons:
                return self.reasons[f"{protocol}/{step}"]
        return otherwise

    def canary(self, protocol: str) -> dict[str, float] | None:
        """What the protocol found in noise."""
        path = self.out / protocol / "noise" / "canary.json"
        if f"{protocol}/noise" in self.reasons or not path.is_file():
            return None
        found: dict[str, float] = json.loads(path.read_text())
        return found


def paper_tables(results: Results) -> list[PaperTable]:
    """All tables, in order."""
    return [
        _cue_shape(results),
        _colour(results),
        _motion(results),
        *(_masking(results, metric) for metric in _MASKED),
        _tests(results, "ablation", "S7_masking_tests", "Tests of region masking"),
        _alone(results),
        _tests(results, "isolate", "S9_alone_chance", "One region alone against noise inputs"),
        _encoding(results),
        _bands(results),
        _similarity(results),
        _compare(results),
        _folds(results),
        _shapley(results),
        _equal(results),
        _held_out(results),
        _curves(results),
        _separation(results),
        _noise(results),
    ]


def _or_not(name: str, title: str, frame: pd.DataFrame | None, reason: str) -> PaperTable:
    return PaperTable(name, title, frame, "" if frame is not None else reason)


def _spread(values: pd.Series) -> dict[str, float]:
    v = values.dropna().to_numpy()
    return {
        "mean": float(v.mean()) if len(v) else np.nan,
        "sd": float(v.std(ddof=1)) if len(v) > 1 else np.nan,
        "n": len(v),
    }


def _cue_shape(results: Results) -> PaperTable:
    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if not {"cue_shape", "cue"} <= set(measures):
            return None
        rows = [
            {"videos": kind, "cue": cue, **_spread(part["cue_shape"])}
            | _beside(results.published.get("cue_shape"), str(cue))
            for (kind, cue), part in measures.groupby(["videos", "cue"], sort=False)
        ]
        return pd.DataFrame(rows)

    title = "Cue shape: Pearson r of decoded and true cue frames over the conditions of each cue"
    frame = results.both("decoder/measures.csv", make)
    return _or_not("S1_cue_shape", title, frame, "its conditions have no cue")


def _colour(results: Results) -> PaperTable:
    names = {"colour_correlation": "correlation", "colour_cosine": "cosine", "colour_error": ""}

    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if "colour_error" not in measures or "colour" not in measures:
            return None
        rows = [
            {"videos": kind, "measure": metric, **_spread(part[metric])}
            | _beside(results.published.get("colour"), known)
            for kind, part in measures.groupby("videos", sort=False)
            for metric, known in names.items()
        ]
        return pd.DataFrame(rows)

    title = "Colour: true and decoded RGB at four points of the aperture, over conditions"
    frame = results.both("decoder/measures.csv", make)
    return _or_not("S2_colour", title, frame, "its conditions have no colour")


def _motion(results: Results) -> PaperTable:
    def make(measures: pd.DataFrame) -> pd.DataFrame | None:
        if "angle_deg" not in measures or "direction_deg" not in measures:
            return None
        rows = []
        for (kind, direction), part in measures.groupby(["videos", "direction_deg"], sort=False):
            angle = part["angle_deg"].to_numpy()
            rows.append(
                {
                    "videos": kind,
                    "rendered_deg": direction,
                    "measured_deg": float(circular_mean_deg(angle)),
                    "sd_deg": float(circular_sd_deg(angle)),
                    "n": int(np.isfinite(angle).sum()),
                    "n_undefined": int(np.isnan(angle).sum()),
                }
                | _beside(results.published.get("motion"), f"{direction:g}")
            )
        return pd.DataFrame(rows)

    title = "Motion: direction of optical flow, circular mean and s.d. over conditions"
    frame = results.both("decoder/measures.csv", make)
    return _or_not("S3_motion", title, frame, "its conditions have no direction of motion")


def _masking(results: Results, metric: str) -> PaperTable:
    def make(means: pd.DataFrame) -> pd.DataFrame | None:
        chosen = means[means["family"].isin(["region", "group"]) & (means["metric"] == metric)]
        if not len(chosen):
            return None
        columns = ["fill", "trial", "removed", "loss", "sd", "low", "high", "n", "rank", "unit"]
        table = chosen[columns].rename(columns={"removed": "region"}).reset_index(drop=True)
        known = results.published.get("masking", {}).get(metric)
        beside = [_beside(known, r) for r in table["region"]]
        return pd.concat([table, pd.DataFrame(beside)], axis=1)

    frame = results.both("ablation/means.csv", make)
    what = {
        "cue_pixels": "Masking, shape: pixels of the cue decoded wrongly that were right before",
        "colour_error": "Masking, colour: RGB error added",
        "direction_error": "Masking, motion: degrees of direction error added",
    }[metric]
    reason = results.reason("ablation", f"{metric} cannot be measured in it")
    return _or_not(f"{_MASKED[metric]}_masking_{metric}", what, frame, reason)


def _tests(results: Results, step: str, name: str, title: str) -> PaperTable:
    frame = results.both(f"{step}/tests.csv", lambda tests: tests)
    return _or_not(name, title, frame, results.reason(step, "the step has no tests"))


def _alone(results: Results) -> PaperTable:
    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = _headlines(table)
        rows = rows[rows["run"].isin(["decoder", "floor/lookup", "chance/noise"])]
        rows = rows.rename(columns={"mask": "sites"})
        known = results.published.get("alone", {})
        rows = rows[["sites", "run", "trial", "metric", "value", "unit", "n"]]
        beside = [
            _beside(known.get(m), str(s).removeprefix("only ")) if r == "decoder" else {}
            for m, s, r in zip(rows["metric"], rows["sites"], rows["run"], strict=True)
        ]
        return pd.concat([rows.reset_index(drop=True), pd.DataFrame(beside)], axis=1)

    title = "One region alone: networks trained on its sites only"
    frame = results.both("isolate/results.csv", make)
    return _or_not("S8_alone", title, frame, results.reason("isolate", "not done"))


def _encoding(results: Results) -> PaperTable:
    metrics = (
        "encoding_r",
        "encoding_r_region",
        "encoding_r_region_time",
        "explainable_share",
        "reliability",
    )

    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = table[(table["condition"] == "all") & table["metric"].isin(metrics)]
        rows = rows.assign(region=rows["mask"].str.removeprefix("only ").replace("none", "all"))
        rows = rows[["region", "run", "trial", "metric", "value", "n"]].reset_index(drop=True)
        known = results.published.get("encoding")
        ours = (rows["metric"] == "encoding_r_region_time") & (rows["run"] == "decoder")
        ours |= (rows["metric"] == "encoding_r_region_time") & (rows["run"] == "encoder")
        beside = [
            _beside(known, r) if mine else {} for r, mine in zip(rows["region"], ours, strict=True)
        ]
        return pd.concat([rows, pd.DataFrame(beside)], axis=1)

    title = "Encoding: correlation of predicted and recorded activity, beside floors and ceilings"
    frame = results.both("encoding/results.csv", make)
    return _or_not("S10_encoding", title, frame, results.reason("encoding", "not done"))


def _bands(results: Results) -> PaperTable:
    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = table[table["metric"].str.startswith("band_r2") & (table["condition"] == "all")]
        rows = rows[["mask", "run", "metric", "value", "n"]].reset_index(drop=True)
        return rows if rows["value"].notna().any() else None

    title = "Encoding by frequency: R² of filtered trial averages"
    frame = results.both("encoding/results.csv", make)
    why = "the bands lie above the Nyquist frequency of the sliding step (data.window.step_s)"
    return _or_not("S11_bands", title, frame, results.reason("encoding", why))


def _similarity(results: Results) -> PaperTable:
    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = table[table["condition"] == "all"]
        rows = rows.assign(region=rows["mask"].str.removeprefix("only ").replace("none", "all"))
        return rows[["region", "trial", "metric", "value", "n"]].reset_index(drop=True)

    title = "Similarity: Pearson correlation of trials within and between conditions and parts"
    frame = results.both("similarity/results.csv", make)
    return _or_not("S12_similarity", title, frame, results.reason("similarity", "not done"))


def _compare(results: Results) -> PaperTable:
    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        return _headlines(table)[["run", "trial", "metric", "value", "unit", "n"]]

    title = "Baselines trained under identical settings, floors and ceiling"
    frame = results.both("compare/results.csv", make)
    return _or_not("S13_baselines", title, frame, results.reason("compare", "not done"))


def _folds(results: Results) -> PaperTable:
    def make(summary: pd.DataFrame) -> pd.DataFrame | None:
        segments = summary.groupby("metric")["segment"].transform("nunique")
        rows = summary[(summary["segment"] == "all") | (segments == 1)]
        return rows.drop(columns=["segment"]).reset_index(drop=True)

    title = "Cross-validation: mean and s.d. over folds"
    frame = results.both("crossval/summary.csv", make)
    return _or_not("S14_folds", title, frame, results.reason("crossval", "not done"))


def _shapley(results: Results) -> PaperTable:
    frame = results.both("ablation/shapley.csv", lambda table: table)
    title = "Shapley values: what a region adds, over all orders of adding regions; 95 % intervals"
    return _or_not("S15_shapley", title, frame, results.reason("ablation", "not done"))


def _equal(results: Results) -> PaperTable:
    def make(means: pd.DataFrame) -> pd.DataFrame | None:
        rows = means[means["family"] == "equal"]
        if not len(rows):
            return None
        region = rows["removed"].str.extract(r"^(?P<n_sites>\d+) of (?P<region>.*), draw \d+$")
        rows = pd.concat([rows, region], axis=1)
        keys = ["fill", "trial", "metric", "unit", "region", "n_sites"]
        grouped = rows.groupby(keys, sort=False)["loss"]
        out = grouped.agg(loss="mean", sd_over_draws="std", n_draws="size").reset_index()
        return out

    frame = results.both("ablation/means.csv", make)
    title = "Masking equal numbers of sites: is it the region or its size?"
    return _or_not("S16_equal_sites", title, frame, results.reason("ablation", "not done"))


def _held_out(results: Results) -> PaperTable:
    def make(table: pd.DataFrame) -> pd.DataFrame | None:
        rows = _headlines(table)
        rows = rows[rows["split"].str.contains("held out")]
        return rows[["split", "run", "trial", "metric", "value", "unit", "n"]]

    title = "Conditions never trained on"
    frame = results.both("generalise/results.csv", make)
    why = "only the rigorous protocol asks this"
    return _or_not("S17_held_out", title, frame, results.reason("generalise", why))


def _curves(results: Results) -> PaperTable:
    def make(curves: pd.DataFrame) -> pd.DataFrame | None:
        return curves[curves["metric"].isin(_HEADLINE)].reset_index(drop=True)

    title = "Learning curves over sites, training trials and sessions"
    frame = results.both("generalise/curves.csv", make)
    why = "only the rigorous protocol asks this"
    return _or_not("S18_learning_curves", title, frame, results.reason("generalise", why))


def _separation(results: Results) -> PaperTable:
    title = "Latents: silhouettes of labels beside their label-permutation chance"
    frame = results.both("latents/tests.csv", lambda tests: tests)
    return _or_not("S19_separation", title, frame, results.reason("latents", "not done"))


def _noise(results: Results) -> PaperTable:
    rows = []
    for protocol in results.protocols:
        found = results.canary(protocol)
        if found is not None:
            rows.append({"protocol": protocol, **found})
    title = "Noise control: identification on Poisson noise of the recording's own rates"
    frame = pd.DataFrame(rows) if rows else None
    return _or_not("S20_noise", title, frame, results.reason("noise", "not done"))


def _headlines(table: pd.DataFrame) -> pd.DataFrame:
    """Rows over all conditions, of the whole video or a metric's only segment."""
    rows = table[table["condition"] == "all"]
    segments = rows.groupby("metric")["segment"].transform("nunique")
    return rows[(rows["segment"] == "all") | (segments == 1)].reset_index(drop=True)


def _beside(known: Any, name: str) -> dict[str, float]:
    """Published mean and s.d. of an entry, where the paper has one."""
    value = known.get(name) if isinstance(known, Mapping) else None
    if value is None:
        return {}
    if isinstance(value, int | float):
        return {"published": float(value)}
    return {"published": float(value[0]), "published_sd": float(value[1])}
