"""A decoder that is at hand, in the place of one that would be trained."""

from __future__ import annotations

import shutil
from pathlib import Path

from omegaconf import DictConfig

from mua_decode.files import whole
from mua_decode.runs.checkpoints import weights_of
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.run import ADOPTED, Run
from mua_decode.runs.score import score

_MADE_OF = ("data", "model", "loss", "task", "seed", ADOPTED)


def decoder_config(cfg: DictConfig, run_dir: str | None, *, command: str) -> DictConfig:
    """Put in the config of a command what the decoder in ``run_dir`` was made of, if there is one.

    Its recording too, unless the config chose one of its own: another than the command's default.
    """
    if run_dir is None:
        return cfg
    decoder = Run.open(run_dir).cfg
    own = cfg.recording != compose(command, []).recording
    parts = (*_MADE_OF, *(() if own else ("recording",)))
    cfg.update({name: decoder[name] for name in parts if name in decoder})
    return cfg


def take_over(source: Run, trained: RunFolder, folder: Path) -> Run:
    """Keep the weights of a trained run in another folder and score them as ``source`` says.

    They are those the run is scored with, under the name of those that ``source`` is scored with.

    Raises InputError if there are none, or they were trained on another recording.
    """
    scored = Run.open(trained.path, recording=source.recording).checkpoint
    assert scored is not None
    place = RunFolder.create(str(folder), "run")
    place.checkpoints.mkdir(exist_ok=True)
    kept = place.checkpoints / f"{weights_of(source.cfg)}.ckpt"
    own = (trained.population, trained.recording, trained.weights)
    for file, copy in [(scored, kept), *((f, place.path / f.name) for f in own)]:
        if file.is_file():
            with whole(copy) as partial:
                shutil.copyfile(file, partial)
    run = source.trained_in(place)
    place.save_config(run.cfg)
    score(run, run.scored_part)
    return run
