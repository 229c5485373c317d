"""Experiment trackers: W&B and TensorBoard beside the files of the run's folder."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
from matplotlib.image import imread
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from mua_decode.figures import live_film
from mua_decode.files import write_text
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import check_targets, instantiate
from mua_decode.types import InputError, nearest_name

_PACKAGES = {"WandbLogger": "wandb", "TensorBoardLogger": "tensorboard"}
# Whatever else a tracker takes (W&B's settings, say) can send code, files or keys elsewhere.
_OPTIONS = {
    "WandbLogger": {
        *("project", "name", "group", "entity", "tags", "notes", "job_type", "offline"),
        *("prefix", "log_model"),
    },
    "TensorBoardLogger": {"name", "version", "sub_dir", "prefix", "log_graph"},
}


def named_trackers(cfg: DictConfig) -> dict[str, DictConfig]:
    """Options of every tracker a config names, by where they stand: ``logger``, or ``logger.NAME``.

    Raises InputError if one of several is no block.
    """
    asked = cfg.get("logger")
    if not asked:
        return {}
    if "_target_" in asked:
        return {"logger": asked}
    for name, options in asked.items():
        if not isinstance(options, DictConfig) or "_target_" not in options:
            raise InputError(
                f"logger.{name}: expected the block of one of several loggers, with _target_"
            )
    return {f"logger.{name}": options for name, options in asked.items()}


def open_trackers(cfg: DictConfig, folder: RunFolder) -> list[Logger]:
    """Open every tracker the config names, ``logger=[wandb,tensorboard]``; see ``open_tracker``."""
    opened: list[Logger] = []
    try:
        for place in named_trackers(cfg):
            tracker = open_tracker(cfg, folder, place=place)
            opened += [] if tracker is None else [tracker]
    except BaseException:
        for tracker in opened:
            abandon(tracker)
        raise
    return opened


def open_tracker(cfg: DictConfig, folder: RunFolder, *, place: str = "logger") -> Logger | None:
    """Return the tracker at a place, with the config logged, or ``None`` for ``logger=csv``.

    A W&B run keeps its id in ``wandb_id.txt`` of the run's folder, so that a resumed training goes
    on with the same run. Any other Lightning logger of a package in ``trusted`` is given its own
    options, and ``save_dir`` where it takes one: the folder of the run.

    Raises InputError if the tracker is not installed, refuses its options, or an option is not one
    of those it may be given.
    """
    if not cfg.logger:
        return None
    options: DictConfig = OmegaConf.select(cfg, place)
    target = str(options.get("_target_", "")).rpartition(".")[2]
    trusted = cfg.get("trusted") or ()
    try:
        extra = _for_shipped(options, folder, place) or _for_own(options, cfg, folder)
        logger: Logger = instantiate(options, trusted=trusted, place="logger", **extra)
        plain: Any = OmegaConf.to_container(cfg, resolve=True)
        if isinstance(logger, WandbLogger):
            _start(logger).config.update(plain, allow_val_change=True)
        else:
            logger.log_hyperparams(plain)
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(target, str(error.name))
        raise InputError(
            f"logger: {package} is not installed; pip install {package}, or choose logger=csv"
        ) from error
    return logger


def publish(logger: Logger | None, folder: RunFolder, metrics: Mapping[str, Any]) -> None:
    """Hand a tracker the final metrics, figures and films of a run, and close it."""
    if logger is None:
        return
    stills = sorted((folder.path / "figures").glob("*.png"))
    films = sorted((folder.path / "figures").glob("*.gif"))
    if isinstance(logger, WandbLogger):
        import wandb

        run = logger.experiment
        run.summary.update(dict(metrics))
        media: dict[str, Any] = {f"figures/{p.stem}": wandb.Image(str(p)) for p in stills}
        media |= {f"videos/{p.stem}": wandb.Video(str(p), format="gif") for p in films}
        if media:
            run.log(media)
        run.finish()
        return
    numbers = {
        k: float(v)
        for k, v in metrics.items()
        if isinstance(v, int | float) and not isinstance(v, bool)
    }
    logger.log_metrics(numbers)
    if isinstance(logger, TensorBoardLogger):
        for path in stills:
            image = imread(path)
            logger.experiment.add_image(f"figures/{path.stem}", image, dataformats="HWC")
    logger.finalize("success")


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of a few val trials in the middle of a training.

    Parameters
    ----------
    scores
        By the name the tracker knows them by.
    strip
        uint8 (height, width, 3): true frames above decoded ones.
    videos
        The same as videos, uint8 (M, T, C, H, W): true and decoded.
    conditions
        One row per condition: its name, and what its first trial was identified as.
    """

    scores: Mapping[str, float]
    strip: np.ndarray
    videos: tuple[np.ndarray, np.ndarray]
    frame_s: float
    conditions: pd.DataFrame


def log_look(logger: Logger, rates: Mapping[str, float], look: Look | None, *, step: int) -> None:
    """Tell a tracker the rates of an epoch and, where there was a look, what was seen."""
    scores = {} if look is None else look.scores
    logger.log_metrics({**rates, **scores}, step=step)
    if look is None:
        return
    film = live_film(*look.videos, frame_s=look.frame_s)
    if isinstance(logger, WandbLogger):
        import wandb

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "film.gif"
            path.write_bytes(film)
            media = {
                "watch/frames": wandb.Image(look.strip),
                "watch/film": wandb.Video(str(path), format="gif"),
                "watch/conditions": wandb.Table(dataframe=look.conditions),
                "trainer/global_step": step,
            }
            logger.experiment.log(media)
    elif isinstance(logger, TensorBoardLogger):
        from tensorboard.compat.proto.summary_pb2 import Summary

        board = logger.experiment
        board.add_image("watch/frames", look.strip, step, dataformats="HWC")
        rows = [" | ".join(map(_in_a_table, r)) for r in look.conditions.to_numpy()]
        head = " | ".join(map(str, look.conditions.columns))
        rule = "|".join(["---"] * look.conditions.shape[1])
        board.add_text("watch/conditions", "\n".join([head, rule, *rows]), step)
        # A GIF is an image to TensorBoard, and plays there.
        height, width = 2 * look.videos[0].shape[3], look.videos[0].shape[4]
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=film)
        summary = Summary(value=[Summary.Value(tag="watch/film", image=image)])
        board._get_file_writer().add_summary(summary, step)


def _in_a_table(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def abandon(logger: Logger | None) -> None:
    """Close the tracker of a training that was broken off; it can be resumed."""
    if isinstance(logger, WandbLogger):
        logger.experiment.finish(exit_code=1)
    elif logger is not None:
        logger.finalize("aborted")


def _for_shipped(options: DictConfig, folder: RunFolder, place: str) -> dict[str, str]:
    """What a logger of ours is given beside its options, which are checked; nothing for others."""
    package, _, target = str(options.get("_target_", "")).rpartition(".")
    if package != "pytorch_lightning.loggers" or target not in _OPTIONS:
        return {}
    known = _OPTIONS[target]
    for name, value in options.items():
        if name == "_target_" or (name in known and not isinstance(value, DictConfig)):
            continue
        raise InputError(
            f"{place}.{name!s}: is no option a logger may be given"
            f"{nearest_name(str(name), known)}; choose from: {', '.join(sorted(known))}"
        )
    if target != "WandbLogger":
        return {"save_dir": str(folder.path)}
    return {"save_dir": str(folder.path), "id": _run_id(folder), "resume": "allow"}


def _for_own(options: DictConfig, cfg: DictConfig, folder: RunFolder) -> dict[str, str]:
    """Where a logger of the user's writes, if it asks and the config does not say."""
    check_targets(cfg, ["logger"])
    takes = signature(hydra.utils.get_class(options._target_)).parameters
    asks = "save_dir" in takes and "save_dir" not in options
    return {"save_dir": str(folder.path)} if asks else {}


def _run_id(folder: RunFolder) -> str:
    path = folder.path / "wandb_id.txt"
    if not path.is_file():
        write_text(path, secrets.token_hex(4) + "\n")
    return path.read_text(encoding="utf-8").strip()


def _start(logger: WandbLogger) -> Any:
    """Begin the W&B run; where the server cannot be had, say so in one line."""
    # Lightning still says whether the run is anonymous; W&B warns that this means nothing any more.
    options = getattr(logger, "_wandb_init", {})
    options.pop("anonymous", None)
    if getattr(logger, "_offline", False):
        # The id alone has a training go on with its run; W&B before 0.31 warns of the other.
        options.pop("resume", None)
    try:
        return logger.experiment
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise InputError(
            f"logger=wandb: {line}; logger.offline=true needs no server, nor account"
        ) from error
