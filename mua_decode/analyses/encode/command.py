"""``mua-decode encode``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.encode.bands import read_bands
from mua_decode.analyses.encode.encode import encode
from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.runs.config import compose
from mua_decode.runs.encoding import encoding_run
from mua_decode.runs.plan import plain, read_plan
from mua_decode.runs.run import Run, open_run


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train a network that predicts the activity from the video, on the data of a finished run.

    Recording, split, population and seed are the run's. The folder RUN_DIR/encoding holds
    config.yaml, checkpoints/best.ckpt and last.ckpt, epochs.csv, metrics.json, results.csv,
    sites.csv (one row per site), tests.csv (what every p-value is) and figures/. Everything is
    scored on the test part. After Ctrl-C or a crash, go on with the same options and
    ckpt_path=auto.
    """
    source = open_run(cfg, checkpoint=None)
    folder = Path(cfg.out_dir or source.folder.path / "encoding").expanduser()
    return _encode(cfg, source, folder, go_on=False)


def encode_again(source: Run, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Train and score the encoding model of a run, going on with what the folder holds of it.

    ``overrides`` are options of ``mua-decode encode``. ``InputError`` if one is wrong, or the
    folder holds an encoding of another config or recording.
    """
    cfg = compose("encode", [f"run_dir={source.folder.path}", f"out_dir={folder}", *overrides])
    cfg.trusted = list(source.cfg.get("trusted") or ())
    return _encode(cfg, source, folder, go_on=True)


def _encode(cfg: DictConfig, source: Run, folder: Path, *, go_on: bool) -> dict[str, Any]:
    plan = read_plan(EncodePlan, cfg.score, bands=read_bands(plain(cfg.bands)))
    encoding, training = encoding_run(cfg, source, folder, go_on=go_on)
    return encode(encoding, plan, training).publish(folder, source)
