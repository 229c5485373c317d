"""``mua-decode decode``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mua_decode.runs.decode import DecodePlan, decode_recording
from mua_decode.runs.plan import read_plan
from mua_decode.runs.reading import build_unseen
from mua_decode.runs.run import open_run
from mua_decode.types import InputError


def run(cfg: DictConfig) -> dict[str, Any]:
    """Decode every trial of a recording with the network of a finished run.

    Sites are matched by id and counted and standardised as in the run, which needs its folder
    alone. The folder OUT, written whole or not at all, holds the videos (videos.npy, or one film
    per trial), index.csv (which trial each is, and how many of the run's sites it had) and
    decode.json (sites matched, missing and additional). A site that is missing stands at its
    training mean.
    """
    if cfg.get("recording") is None:
        raise InputError(
            "recording is not set; name what is to be decoded: recording=nwb recording.path=FILE"
        )
    plan = read_plan(DecodePlan, cfg)
    out = _free_folder(cfg.out)
    source = open_run(cfg)
    return decode_recording(source, build_unseen(cfg), plan, out)


def _free_folder(out: str | None) -> Path:
    if not out:
        raise InputError("out is not set; give a folder for the videos: out=FOLDER")
    path = Path(out).expanduser().absolute()
    if path.is_file():
        raise InputError(f"out: {path} is a file; give a folder")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"out: {path} is not empty; give another folder")
    return path
