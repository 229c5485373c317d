"""Reproduction of a paper about images and axes: its report is that of the analysis ``axis``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mua_decode.analyses.axis.command import run as run_axis
from mua_decode.runs.config import compose


def is_of_images(cfg: Any) -> bool:
    """Whether the published values are those of axes."""
    return "axis" in (cfg.published or {})


def reproduce_images(cfg: Any, out: Path) -> dict[str, Any]:
    """Ask every question of axes and imagery of the recording, the published values beside ours.

    Options are those of ``mua-decode axis``; recording and seed are those given here.
    """
    asked = compose("axis", [])
    for name in ("recording", "seed", "trusted", "published"):
        asked[name] = cfg[name]
    asked.name, asked.run_dir = "reproduce", str(out)
    return run_axis(asked)
