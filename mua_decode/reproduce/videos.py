"""Videos of the report: films side by side, and regions switched on and off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.report import Films, RegionPanel, Section
from mua_decode.report.results import Results
from mua_decode.reproduce.protocol import Protocol
from mua_decode.types import StimulusSet


def films(results: Results, protocols: Sequence[Protocol]) -> list[Films]:
    """True and decoded videos of every protocol, in step."""
    rows: dict[str, np.ndarray] = {}
    stimuli: StimulusSet | None = None
    conditions: np.ndarray | None = None
    for protocol in protocols:
        path = results.out / protocol.name / "decoder" / "films.npz"
        if not path.is_file() or not results.has(protocol.name, "decoder"):
            continue
        with np.load(path, allow_pickle=False) as file:
            found = {k: file[k] for k in file.files}
        if conditions is not None and not np.array_equal(conditions, found["condition"]):
            continue
        if stimuli is None:
            stimuli, conditions = protocol.data.stimuli, found["condition"]
            rows["true, one video"] = _frames_first(found["shown"])
            rows["true, average"] = _frames_first(found["true"])
        rows[f"{protocol.name}, single trial"] = _frames_first(found["single"])
        rows[f"{protocol.name}, average"] = _frames_first(found["average"])
    if stimuli is None or conditions is None:
        return []
    names = [stimuli.names[k] for k in conditions]
    caption = (
        "Decoded from test trials. The dots of a trial start at random places, which spikes say "
        "nothing of: a single decoded video is compared with the average, not with its own dots."
        if len(stimuli.videos) > stimuli.n_conditions
        else "Decoded from test trials."
    )
    return [Films(rows, names, stimuli.segments, stimuli.frame_s, caption=caption)]


def _frames_first(videos: np.ndarray) -> np.ndarray:
    """(K, C, T, H, W) -> (K, T, C, H, W)."""
    return np.ascontiguousarray(videos.swapaxes(1, 2))


def panel(results: Results, protocols: Sequence[Protocol]) -> Section | None:
    """The last protocol that has all subsets: one panel is enough to mail."""
    for protocol in reversed(protocols):
        folder = results.out / protocol.name / "ablation"
        subsets = results.read(protocol.name, "ablation/subsets.csv")
        scores = results.read(protocol.name, "ablation/results.csv")
        films = results.out / protocol.name / "decoder" / "films.npz"
        if subsets is None or scores is None or not films.is_file():
            continue
        listed = subsets["regions"].fillna("").str.split("+")
        regions = protocol.recording.sites.regions
        regions = [r for r in regions if any(r in part for part in listed)]
        keep = np.array([[r in part for r in regions] for part in listed])
        with np.load(films, allow_pickle=False) as file:
            true, condition = file["true"], file["condition"]
        stimuli = protocol.data.stimuli
        fill = str(subsets["fill"].iloc[0])
        panel = RegionPanel(
            regions=regions,
            keep=keep,
            videos=_subset_videos([folder / f for f in subsets["file"]]),
            true=_frames_first(true),
            conditions=[stimuli.names[k] for k in condition],
            segments=stimuli.segments,
            frame_s=stimuli.frame_s,
            scores=_subset_scores(scores, subsets),
            caption=f"Averages over test trials; switched-off regions are filled with: {fill}.",
        )
        text = [
            f"Protocol {protocol.name}. Switch regions on and off and choose a condition: the "
            "decoder was trained on all regions and sees only those that are on."
        ]
        return Section("Switch regions on and off", text=text, panel=panel)
    return None


def _subset_videos(files: Sequence[Path]) -> Iterator[tuple[int, np.ndarray]]:
    for number, path in enumerate(files):
        with np.load(path, allow_pickle=False) as file:
            yield number, _frames_first(file["predicted"])


def _subset_scores(scores: pd.DataFrame, subsets: pd.DataFrame) -> pd.DataFrame:
    """Mean scores of every subset over conditions, averages over trials."""
    number = {
        f"{m} ({f})": i
        for i, (m, f) in enumerate(zip(subsets["mask"], subsets["fill"], strict=True))
    }
    rows = scores[
        (scores["condition"] == "all")
        & (scores["trial"] == "trial_average")
        & scores["mask"].isin(number)
    ]
    rows = rows.assign(subset=rows["mask"].map(number))
    return rows[["subset", "metric", "value", "unit"]].drop_duplicates(["subset", "metric"])
