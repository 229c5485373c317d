"""Simulate the experiment and write it to a file."""

from __future__ import annotations

from omegaconf import DictConfig

from mua_decode.commands.convert import write


def run(cfg: DictConfig) -> None:
    """Render the videos, simulate the sessions, and write one HDF5 file with the planted truth."""
    write(cfg, "native")
