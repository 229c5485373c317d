"""The encoding model of a run from weights that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mua_decode.analyses.encode.bands import read_bands
from mua_decode.analyses.encode.encode import score_trained
from mua_decode.analyses.encode.plan import EncodePlan
from mua_decode.runs.adopt import ForeignWeights, adopt
from mua_decode.runs.config import compose
from mua_decode.runs.encoding import encoding_run
from mua_decode.runs.plan import plain, read_plan
from mua_decode.runs.run import open_run


def adopt_encoding(
    run_dir: Path, weights: ForeignWeights, overrides: Sequence[str]
) -> dict[str, Any]:
    """Make the encoding of a run of an inverse network's weights and score it.

    The authors' activation goes with their weights. ``overrides`` are options of ``mua-decode
    encode``. ``InputError`` if the weights do not fit, or the folder holds an encoding already.
    """
    own = ["model.video_activation=none", *overrides]
    cfg = compose("encode", [f"run_dir={run_dir}", *own])
    source = open_run(cfg, checkpoint=None)
    plan = read_plan(EncodePlan, cfg.score, bands=read_bands(plain(cfg.bands)))
    folder = Path(cfg.out_dir or source.folder.path / "encoding").expanduser()
    encoding, _ = encoding_run(cfg, source, folder)
    adopt(encoding, weights)
    return score_trained(encoding, plan).publish(folder)
