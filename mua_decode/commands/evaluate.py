"""Score a trained run again."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.runs.folder import RunFolder
from mua_decode.runs.page import write_run_page
from mua_decode.runs.parts import own_metrics
from mua_decode.runs.plan import check_part
from mua_decode.runs.run import open_run
from mua_decode.runs.score import print_summary, score
from mua_decode.runs.typed import keep_typed, typed_options


def run(cfg: DictConfig) -> dict[str, Any]:
    """Rebuild recording, split and network of a run and score a checkpoint.

    Writes metrics.json, results.csv, figures/ and report.html to
    FOLDER/evaluation_PART_CHECKPOINT. Nothing is trained; the split,
    the pseudo-trials and, unless metric=[...] names others, the metrics are those of the run.
    """
    part = check_part(str(cfg.part))
    source = open_run(cfg)
    metrics = cfg.get("metric")
    if not metrics and not any(option.startswith("metric=") for option in typed_options()):
        metrics = source.cfg.get("metric")
    source.score_as({"metric": metrics, "floor": cfg.get("floor")})
    assert source.checkpoint is not None
    out = RunFolder(source.out(cfg.out_dir, f"evaluation_{part}_{source.checkpoint.stem}"))
    flat = score(source, part, out=out)
    keep_typed(out.path, source=source.folder.path)
    write_run_page(out.path, source.folder.path)
    print_summary(flat, out.path, part, own=[m.name for m in own_metrics(source.metrics)])
    return flat
