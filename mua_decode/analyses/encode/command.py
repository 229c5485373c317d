"""``mua-decode encode``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.encode.bands import read_bands
from mua_decode.analyses.encode.encode import encode
from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.runs.encoding import encoding_run
from mua_decode.runs.findings import Findings
from mua_decode.runs.plan import plain, read_plan
from mua_decode.runs.run import Run, open_run


def run(cfg: DictConfig) -> dict[str, Any]:
    """Train a network that predicts the activity from the video, on the data of a finished run.

    Recording, split, population and seed are the run's. The folder RUN_DIR/encoding holds
    config.yaml, checkpoints/best.ckpt and last.ckpt, epochs.csv, metrics.json, results.csv,
    sites.csv (one row per site), tests.csv (what every p-value is) and figures/. Everything is
    scored on the test part. After Ctrl-C or a crash, go on with the same options and
    ckpt_path=last.
    """
    source = open_run(cfg, checkpoint=None)
    folder = Path(cfg.out_dir or source.folder.path / "encoding").expanduser()
    return encode_into(cfg, source, folder).publish(folder)


def encode_into(cfg: DictConfig, source: Run, folder: Path, *, go_on: bool = False) -> Findings:
    """Train and score the encoding model of a run in a folder.

    Parameters
    ----------
    cfg, go_on
        See :func:`mua_decode.runs.encoding.encoding_run`.

    Raises
    ------
    InputError
        If an option is wrong, or the folder holds an encoding that cannot be gone on with.
    """
    plan = read_plan(EncodePlan, cfg.score, bands=read_bands(plain(cfg.bands)))
    encoding, training = encoding_run(cfg, source, folder, go_on=go_on)
    return encode(encoding, plan, training)
