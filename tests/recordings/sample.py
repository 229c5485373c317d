"""A recording of the task written as the published sample is described."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan, Window
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.types import PARTS, Recording

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
# What the reader has to be told of a sample of the small simulated experiment.
SMALL_SITES = [["PFC", 4], ["FEF", 4], ["LIP", 6], ["MT", 6], ["IT", 2], ["V4", 6]]
SMALL = [
    "recording=tensors",
    f"recording.sites={SMALL_SITES}".replace("'", "").replace(" ", ""),
    "recording.crop=16",
    "recording.order.cues=[cross,circle]",
    "recording.order.colours=[green,red]",
    "recording.order.directions_deg=[90,-30]",
]


def simulated_small(*, variants: int = 1) -> Recording:
    """Eight conditions of the task in frames of 16 pixels, all sites in one session."""
    small = ["recording.stimulus.frame.resolution=0.5", "recording.population.sessions=1"]
    shown = [f"recording.stimulus.variants={variants}"]
    return build_recording(compose("inspect", ["recording=simulated_small", *small, *shown]))


def write_sample(
    recording: Recording,
    folder: Path,
    *,
    per_condition: int = 10,
    outer: str = "colour",
    arranged: str = "blocks",
    margin: int = 0,
    parts: Sequence[str] = PARTS,
) -> dict[str, list[str]]:
    """Pool, standardise and divide; stimulus 0, 1 ... outer, cue inner.

    Frames have ``margin`` bright pixels around them. Returned are the names of the conditions of
    every part's trials, in order.
    """
    data = DecodingData(
        recording,
        window=Window(width_s=0.1, step_s=0.1),
        split=SplitPlan(unit="pseudo_trial"),
        pseudo=PseudoTrialPlan(per_condition=per_condition),
    )
    pooled = [data.dataset(p) for p in PARTS]
    spikes = torch.cat([d.__getitems__(list(range(len(d)))).spikes for d in pooled])
    video = np.concatenate([d.pseudo.video for d in pooled])
    condition = np.concatenate([d.pseudo.condition for d in pooled])
    table = recording.stimuli.conditions
    slow, fast = ("colour", "direction_deg") if outer == "colour" else ("direction_deg", "colour")
    codes = {c: table[c].map({v: i for i, v in enumerate(table[c].unique())}) for c in table}
    order = np.lexsort([codes["cue"], codes[fast], codes[slow]])
    edges = np.cumsum([0, *(round(SHARES[p] * per_condition) for p in PARTS)])
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for part, first, last in zip(PARTS, edges[:-1], edges[1:], strict=True):
        if part not in parts:
            continue
        blocks = np.stack([np.flatnonzero(condition == k)[first:last] for k in order])
        rows = blocks.ravel() if arranged == "blocks" else blocks.T.ravel()
        film = recording.stimuli.videos[video[rows]].astype(np.float32) / 255
        around = [(0, 0)] * 3 + [(margin, margin)] * 2
        film = np.pad(film, around, constant_values=1.0)
        torch.save(spikes[rows].clone(), folder / f"{part}_input.pt")
        torch.save(torch.from_numpy(film), folder / f"{part}_output.pt")
        names[part] = [recording.stimuli.names[k] for k in condition[rows]]
    return names
