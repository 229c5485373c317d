"""Tables of the paper: shape, colour and motion of decoded videos; and the films beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.metrics import circular_difference_deg, circular_mean_deg, circular_sd_deg
from mua_decode.report import Films, Section
from mua_decode.report.paper import (
    PaperTable,
    Results,
    Tables,
    beside,
    frames_first,
    paper_section,
    spread,
)
from mua_decode.scoring.guesses import guessed_turns
from mua_decode.statistics import correct, v_test
from mua_decode.types import HypothesisTable, StimulusSet

_SEE = "see the permutation"


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
    return results.table(
        "S1_cue_shape", title, "decoder/measures.csv", make, why="its conditions have no cue"
    )


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

    title = (
        "Colour: true and decoded RGB at four points at 2/4 and 3/4 of the aperture's box (our "
        'reading of "the aggregated stimulus images"; metric.colour.points=frame takes the frame '
        "itself), over conditions"
    )
    return results.table(
        "S2_colour", title, "decoder/measures.csv", make, why="its conditions have no colour"
    )


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
                    "error_deg": float(np.abs(counted_error(part)).mean()),
                    "n": known,
                    "n_unit": "conditions",
                    "n_undefined": len(angle) - known,
                }
                | _published(results.published.get("motion"), f"{direction:g}", str(kind))
            )
        return pd.DataFrame(rows)

    title = (
        "Motion: direction of optical flow, circular mean and s.d. over the n conditions that have "
        "one; error_deg: mean distance over all conditions, undefined directions counted as 90 "
        "degrees off"
    )
    return results.table(
        "S3_motion",
        title,
        "decoder/measures.csv",
        make,
        why="its conditions have no direction of motion",
    )


def counted_error(measures: pd.DataFrame) -> np.ndarray:
    """Measured minus rendered direction in degrees, [-180, 180); undefined 90 off, left and right.

    In turn, so that no side is favoured: what guessing gives on average, as in every other table.
    """
    angle, rendered = (measures[c].to_numpy(float) for c in ("angle_deg", "direction_deg"))
    lost = np.isnan(angle)
    return np.where(lost, guessed_turns(lost), circular_difference_deg(angle, rendered))


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
            if part["angle_deg"].notna().sum() < 2:
                continue
            straight = v_test(
                counted_error(part),
                0.0,
                question="do measured directions point where they were rendered?",
                group=str(kind),
                metric="angle_deg",
                n_unit="conditions",
                rng=rng,
            ).frame
            lost = int(part["angle_deg"].isna().sum())
            counted = f"{lost} undefined directions count as 90 degrees off"
            note = f"{counted}; one constant direction may pass: {_SEE}"
            if lost:
                straight = straight.assign(p=np.nan, p_corrected=np.nan)
                note = f"{counted}; no p, since they may depend on the direction: {_SEE}"
            tables.append(HypothesisTable(straight.assign(note=note)))
            permuted = v_test(
                *(part[c].to_numpy(float) for c in ("angle_deg", "direction_deg")),
                question="do measured directions follow the condition?",
                group=str(kind),
                metric="angle_deg",
                n_unit="conditions",
                rng=rng,
            ).frame
            said = permuted["note"].iloc[0]
            tables.append(HypothesisTable(permuted.assign(note=said or counted)))
        if not tables:
            return None
        return correct(HypothesisTable.concat(tables), method="holm", within=["test"]).frame

    title = "Motion: circular tests of measured against rendered directions"
    return results.table(
        "S21_motion_tests",
        title,
        "decoder/measures.csv",
        make,
        why="its conditions have no direction of motion",
    )


def films(results: Results, stimuli: Mapping[str, StimulusSet]) -> list[Films]:
    """True and decoded videos of every protocol, in step.

    Parameters
    ----------
    stimuli
        What was shown, one frame per bin, by protocol.
    """
    rows: dict[str, np.ndarray] = {}
    shown: StimulusSet | None = None
    conditions: np.ndarray | None = None
    for protocol in results.protocols:
        path = results.out / protocol / "decoder" / "films.npz"
        if not path.is_file() or not results.has(protocol, "decoder"):
            continue
        with np.load(path, allow_pickle=False) as file:
            found = {k: file[k] for k in file.files}
        if conditions is not None and not np.array_equal(conditions, found["condition"]):
            continue
        if shown is None:
            shown, conditions = stimuli[protocol], found["condition"]
            rows["true, one video"] = frames_first(found["shown"])
            rows["true, average"] = frames_first(found["true"])
        rows[f"{protocol}, single trial"] = frames_first(found["single"])
        rows[f"{protocol}, average"] = frames_first(found["average"])
    if shown is None or conditions is None:
        return []
    names = [shown.names[k] for k in conditions]
    caption = (
        "Decoded from test trials. The dots of a trial start at random places, which spikes say "
        "nothing of: a single decoded video is compared with the average, not with its own dots."
        if len(shown.videos) > shown.n_conditions
        else "Decoded from test trials."
    )
    return [Films(rows, names, shown.segments, shown.frame_s, caption=caption)]


def section(results: Results, tables: Tables, stimuli: Mapping[str, StimulusSet]) -> Section:
    """How well videos are decoded, with the films; ``stimuli`` as for :func:`films`."""
    caption = "True frames above decoded ones, single test trials."
    pictures = results.pictures("decoder/run", "frames_single_trial", caption)
    caption = "Conditions identified from single trials."
    pictures += results.pictures("decoder/run", "confusion", caption)
    text = [
        "Single trials first, then averages over the trials of a condition. The ceiling is the "
        "same measure on the true videos: what the metric itself can give.",
    ]
    shown = [tables[n] for n in ("S1", "S2", "S3", "S21")]
    title = "Figure 2. Reconstruction: shape, colour, motion"
    return paper_section(title, text, shown, pictures, films(results, stimuli))
