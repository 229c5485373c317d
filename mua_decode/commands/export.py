"""``mua-decode export``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.runs.export import ExportPlan, export
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_run


def run(cfg: DictConfig) -> dict[str, Any]:
    """Write the network of a finished run as ONNX or as an exported PyTorch program.

    The file maps standardised counts (batch, bins, sites), any batch, to video (batch, C, T, H, W)
    in [0, 1]; the batch normalisation of the convolutions is folded into them. It is loaded again
    and compared with the network of the run on random input before it gets its name. FILE.json
    beside it holds shapes, sites in order, the standardiser, and the largest difference found.
    """
    plan = read_plan(ExportPlan, cfg)
    out = plan.file(cfg.out)
    return export(open_run(cfg, device="cpu"), plan, out)
