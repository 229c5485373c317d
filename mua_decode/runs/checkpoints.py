"""Checkpoints that are never lost: written beside their place, read back, then renamed."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from mua_decode.files import whole
from mua_decode.runs.build import load_checkpoint
from mua_decode.runs.progress import console
from mua_decode.types import InputError

NEWEST = ("last", "best")  # newest first
WEIGHTS = ("best", "last")


class WholeCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint beside its place; it takes the name once it was read back.

    The one before stays until then, whatever becomes of the disk or the process.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,
    ) -> None:
        """Write, read back, rename; raises InputError if the disk takes no more."""
        if storage_options is not None:
            raise TypeError("checkpoints are plain files and take no storage_options")
        # The writer of torch can take the process down when a disk is full; a buffer cannot.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            with whole(Path(path)) as partial:
                partial.write_bytes(buffer.getbuffer())
                if not reads_back(partial):
                    raise OSError(None, "it does not read back as it was written")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written: {error.strerror}; the checkpoint before it is kept: "
                "make room, then go on with ckpt_path=auto and the same options"
            ) from error


def weights_of(cfg: DictConfig) -> str:
    """``best`` or ``last``: the epoch a run is scored with; ``best`` where its config says nothing.

    Raises InputError if it is neither.
    """
    found = cfg.get("weights") or WEIGHTS[0]
    if found not in WEIGHTS:
        raise InputError(f"weights={found}: choose from {', '.join(WEIGHTS)}")
    return str(found)


def reads_back(path: Path) -> bool:
    """Whether every part of a checkpoint has the checksum it was written with."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        return False


def newest_sound(folder: Path) -> Path | None:
    """Newest checkpoint of a folder that reads back, ``None`` if there is none.

    Says so where it is not the last one that was written.
    """
    for name in NEWEST:
        path = folder / f"{name}.ckpt"
        if not path.is_file():
            continue
        if reads_back(path):
            loaded = load_checkpoint(path)  # another kind of file is no damage, and is refused
            if name != NEWEST[0]:
                done = int(loaded.get("epoch", -1)) + 1
                console.print(
                    f"note: going on from {path.name} after {done} epochs; {NEWEST[0]}.ckpt is "
                    "damaged or missing",
                    highlight=False,
                    soft_wrap=True,
                )
            return path
    return None


def bring_best(resume: Path, folder: Path) -> None:
    """Copy the best checkpoint beside the one to go on from, where that lies in another folder."""
    best, here = resume.parent / "best.ckpt", folder / "best.ckpt"
    if resume.parent.resolve() != folder.resolve() and best.is_file() and not here.exists():
        with whole(here) as partial:
            shutil.copyfile(best, partial)


class KeptCheckpoint(ModelCheckpoint):
    """A checkpoint that knows its best score in whatever place the run's folder lies now.

    Lightning forgets the best score when the folder was moved, and replaces the best weights by
    those of the next epoch.
    """

    @property
    def state_key(self) -> str:
        """The key of Lightning's own, so that runs of earlier versions go on."""
        return str(super().state_key).replace(type(self).__qualname__, "ModelCheckpoint", 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of a checkpoint, whose folder may have been another."""
        assert self.dirpath is not None
        here = Path(self.dirpath)

        def moved(path: str) -> str:
            return str(here / Path(path).name) if path else path

        state = dict(state_dict) | {"dirpath": self.dirpath}
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[name] = moved(state.get(name, ""))
        best = state.get("best_k_models", {})
        state["best_k_models"] = {moved(path): score for path, score in best.items()}
        path = Path(state["best_model_path"])
        if self.monitor is not None and not reads_back(path):
            console.print(
                f"note: {path.name} is damaged or missing; the best epoch is chosen anew among "
                "those to come",
                soft_wrap=True,
            )
            none: dict[str, Any] = {"best_model_score": None, "best_k_models": {}}
            state |= none | {"kth_best_model_path": "", "kth_value": self.kth_value}
        super().load_state_dict(state)


class EveryEpochs(ModelCheckpoint):
    """Keep the checkpoint of every N-th epoch in the run's folder, ``epoch_0009.ckpt``.

    Epochs are numbered from 0, as in ``epochs.csv``. Raises InputError if ``every_n_epochs`` is
    below 1.
    """

    def __init__(self, every_n_epochs: int) -> None:
        if every_n_epochs < 1:
            raise InputError(f"every_n_epochs: expected a number >= 1, found {every_n_epochs}")
        super().__init__(
            filename="epoch_{epoch:04d}",
            auto_insert_metric_name=False,
            every_n_epochs=every_n_epochs,
            save_top_k=-1,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the folder of the run."""
        self.dirpath = str(Path(trainer.default_root_dir) / "checkpoints")
        super().setup(trainer, pl_module, stage)
