"""``mua-decode reproduce``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mua_decode.reproduce.images import is_of_images, reproduce_images
from mua_decode.reproduce.plan import ReproducePlan
from mua_decode.reproduce.reproduce import Reproduction
from mua_decode.reproduce.side_by_side import run_side_by_side
from mua_decode.reproduce.step import print_plan
from mua_decode.runs.folder import RunFolder, keep_split
from mua_decode.runs.plan import plain, read_plan
from mua_decode.runs.quiet import quiet
from mua_decode.runs.run import Run
from mua_decode.runs.take_over import decoder_config

# Options of the reproduction itself; the rest is the config of the runs it trains.
_OWN = (*ReproducePlan.__dataclass_fields__, "out")


def run(cfg: DictConfig) -> dict[str, Any]:
    """Ask every question of the paper of a recording, as published and rigorously.

    Prints a plan, then does it step by step: decoder, ablation, encoding, similarity, latents,
    one region alone, baselines, cross-validation, generalisation, and the same on pure noise. The
    folder holds tables/, results.csv, report.html and a folder per step; the same command with the
    same out= goes on where it stopped. ``published=wadia2026``: axes and imagery instead.
    """
    if is_of_images(cfg):
        return reproduce_images(cfg, RunFolder.create(cfg.out, "reproduce", option="out").path)
    _ = (plan := read_plan(ReproducePlan, cfg)).names
    folder = RunFolder.create(cfg.out, "reproduce", option="out")
    keep_split(cfg, folder.config)
    paper = Reproduction(plan, _base(cfg, folder))
    folder.save_config(cfg)
    print_plan(paper.steps, folder.path, paper.note)
    if paper.side_by_side:
        run_side_by_side(one_protocol, plain(cfg), paper.steps, folder.path)
    return paper.publish()


def one_protocol(options: Mapping[str, Any], name: str, out: Path) -> None:
    """Do the steps of one protocol, in a process of its own."""
    quiet()
    cfg = OmegaConf.create(dict(options))
    plan = replace(read_plan(ReproducePlan, cfg), protocol=name)
    Reproduction(plan, _base(cfg, RunFolder(out))).carry_out()


def _base(cfg: DictConfig, folder: RunFolder) -> Run:
    """The run that the protocols vary, as ``mua-decode train`` would have it."""
    kept = OmegaConf.create({k: v for k, v in cfg.items() if k not in _OWN})
    kept.run_dir, kept.ckpt_path, kept.logger = None, None, kept.get("logger")
    return Run(folder, decoder_config(kept, cfg.decoder, command="reproduce"))
