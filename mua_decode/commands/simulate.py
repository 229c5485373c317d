"""Simulate the experiment and write it to a file."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from mua_decode.recordings import write_recording
from mua_decode.runs.build import build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console, working


def run(cfg: DictConfig) -> None:
    """Render the videos, simulate the sessions, and write one HDF5 file with the planted truth."""
    out = Path(cfg.out).expanduser()
    RunFolder.create(str(out.parent), "simulate")
    recording = build_recording(cfg)
    with working(f"writing {out}"):
        write_recording(recording, out)
    console.print(
        f"{len(recording.sessions)} sessions, {len(recording.sites)} sites, "
        f"{recording.stimuli.n_conditions} conditions -> {out} "
        f"({out.stat().st_size / 1e6:.0f} MB)\n"
        f"inspect it with: mua-decode inspect recording=native recording.path={out}",
        highlight=False,
    )
