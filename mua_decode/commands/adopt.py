"""Make a run of weights that were trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mua_decode.analyses.encode.adopted import adopt_encoding
from mua_decode.runs.adopt import adopt, read_weights
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.runs.score import print_summary, score
from mua_decode.types import InputError

_OWN = ("weights", "encode")  # options of the command itself; the rest is the config of the run


def run(cfg: DictConfig) -> dict[str, Any]:
    """Adopt the authors' checkpoint: a run folder that the other commands accept, scored.

    A decoder's checkpoint makes the run RUN_DIR: config.yaml, population.json, recording.json,
    weights.json (file and checksum), checkpoints/best.ckpt, metrics.json, results.csv and
    figures/; there is no epochs.csv, for nothing was trained here. An inverse network's checkpoint
    makes the encoding RUN_DIR/encoding of a run that is there already, with its recording and
    population. What was stored standardised is used as it is, so a masked site shows 0.
    """
    weights = read_weights(cfg.weights)
    if weights.inverse:
        if not cfg.run_dir or not RunFolder(Path(str(cfg.run_dir)).expanduser()).config.is_file():
            raise InputError(
                f"weights: {weights.path} is of an inverse network, which belongs to a run: adopt "
                "the decoder first, then give its folder as run_dir"
            )
        return adopt_encoding(Path(str(cfg.run_dir)).expanduser(), weights, list(cfg.encode))
    kept = OmegaConf.create({k: v for k, v in cfg.items() if k not in _OWN})
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    if folder.trained or folder.metrics.is_file():
        raise InputError(f"run_dir: {folder.path} already holds a run; choose another run_dir")
    adopted = Run(folder, kept)
    for note in adopted.data.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, style="dim")
    part = adopted.scored_part
    adopt(adopted, weights)
    flat = score(adopted, part)
    print_summary(flat, folder.path, part)
    return flat
