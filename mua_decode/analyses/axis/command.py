"""``mua-decode axis``."""

from __future__ import annotations

from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from mua_decode.analyses.axis.axis import axis
from mua_decode.analyses.axis.findings import findings
from mua_decode.analyses.axis.pixels import Loss
from mua_decode.analyses.axis.plan import AxisPlan
from mua_decode.analyses.axis.report import write_report
from mua_decode.runs.build import build_network, build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.plan import read_plan


def run(cfg: DictConfig) -> dict[str, Any]:
    """Ask whether sites encode images along an axis of a feature space, and read images back.

    Axes are fitted on training images and tested on held-out ones; where trials carry states,
    imagery is compared with perception. The run's folder holds config.yaml, metrics.json,
    results.csv, sites.csv (one row per site), tests.csv (what every p-value is), figures/ and
    report.html.
    """
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    plan = read_plan(AxisPlan, cfg)
    recording = build_recording(cfg)
    named = {n: instantiate(c, trusted=cfg.trusted) for n, c in cfg.features.items()}
    spaces = {
        n if space is given else space.name: space
        for n, given in named.items()
        for space in given.spaces()
    }

    def video_decoder(n_sites: int, shape: tuple[int, int, int]) -> tuple[nn.Module, Loss]:
        model = build_network(cfg, n_sites=n_sites, n_bins=1, frame_shape=shape)
        return model, instantiate(cfg.loss, trusted=cfg.trusted, frame_weights=torch.ones(1))

    results = axis(recording, plan, spaces, build=video_decoder)
    folder.save_config(cfg)
    if results.read is not None and results.read.effective is not None:
        results.read.effective.write(folder.path / "effective")
    found = findings(results, folder.path)
    flat = found.write(folder.path)
    write_report(folder, results, flat)
    found.show(folder.path)
    return flat
