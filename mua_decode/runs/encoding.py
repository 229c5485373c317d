"""The run of an encoding model: a folder and a config of its own on the data of another run."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mua_decode.runs.build import choose_device
from mua_decode.runs.checkpoints import weights_of
from mua_decode.runs.config import load_option
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.run import Run
from mua_decode.runs.train import Training, resume_from
from mua_decode.types import InputError

_MODEL = "inverted_video_unet"
# Where a run was trained on several devices, its encoding model is trained on one.
_PROCESSES = ("devices", "num_nodes", "strategy")


def encoding_run(
    cfg: DictConfig, source: Run, folder: Path, *, go_on: bool = False
) -> tuple[Run, Training]:
    """Return the encoding of a run in a folder, and how it is to be trained.

    With ``go_on``, an encoding that the folder holds is taken up where it stopped, if it is one of
    the same config and recording; else ``cfg.ckpt_path`` says so. ``InputError`` if the folder
    holds another encoding, or one that is not to be gone on with, or the run has no fixed sites.
    """
    if source.data.random_sites:
        raise InputError(
            "encode: the run draws its sites anew in every pseudo-trial, so that no output could "
            "stand for a site; give a run with data.pseudo.draw=site or session"
        )
    cfg = encoding_config(cfg, source)
    place = RunFolder.create(str(folder), "encoding", option="out_dir")
    if go_on and place.config.is_file():
        ours = Fingerprint.of(cfg, source.recording.checksum, but=("out_dir",))
        difference = ours.difference(place.fingerprint(but=("out_dir",)))
        if difference is not None:
            raise InputError(
                f"{place.path} holds an encoding of another config: {difference}; remove the "
                "folder or choose another out"
            )
        cfg.ckpt_path = "auto"
    resume = resume_from(cfg, place, option="out_dir")
    device = choose_device("auto", accelerator=cfg.trainer.get("accelerator")).type
    run = Run(place, cfg, recording=source.recording, data=source.data, device=device)
    return run, Training(resume=resume, run_dir=source.folder.path)


def encoding_config(cfg: DictConfig, source: Run) -> DictConfig:
    """Config of an encoding with what it takes from the run, as it is written to the folder."""
    whole = cfg.copy()
    OmegaConf.set_struct(whole, False)
    whole.run_dir = str(source.folder.path)
    for name in ("recording", "data", "seed"):
        whole[name] = source.cfg[name]
    default = load_option("model", _MODEL)
    inherits = whole.model.get("_target_") == default.get("_target_")
    for name in [name for name in whole.model if whole.model[name] is None]:
        if inherits:
            own = source.cfg.model.get(name)
            whole.model[name] = default.get(name) if own is None else own
        else:  # another network has options of its own
            del whole.model[name]
    run = source.cfg
    for name in ("optimizer", "scheduler"):
        whole.task[name] = _as_run(whole.task.get(name), run.task.get(name))
    interval = run.task.get("scheduler_interval")
    whole.task.scheduler_interval = whole.task.get("scheduler_interval") or interval or "epoch"
    trainer = {k: v for k, v in run.trainer.items() if k not in _PROCESSES}
    whole.trainer = _as_run(whole.trainer, OmegaConf.create(trainer))
    whole.matmul_precision = whole.matmul_precision or run.get("matmul_precision") or "highest"
    whole.weights = whole.get("weights") or weights_of(run)
    return whole


def _as_run(own: DictConfig | None, run: DictConfig | None) -> DictConfig | None:
    """Options with what is null taken from the run's, or left out where they name another class."""
    if own is None:
        return None
    given = {k: v for k, v in own.items() if v is not None}
    if own.get("_target_") is not None:
        return OmegaConf.create(given)
    return None if run is None else OmegaConf.create({**run, **given})
