"""The folder of one run: what lies where, written whole or not at all."""

from __future__ import annotations

import errno
import itertools
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from mua_decode.data import Population
from mua_decode.files import write_text
from mua_decode.limits import read_json
from mua_decode.recordings.files import reading
from mua_decode.runs.checkpoints import weights_of
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.lock import lock
from mua_decode.runs.new_folders import make, remember
from mua_decode.runs.options import check_seed
from mua_decode.runs.stored import load_stored
from mua_decode.runs.stored_paths import absolute, beside
from mua_decode.types import (
    COLUMNS,
    EXACT,
    N_UNIT,
    InputError,
    Recording,
    ResultTable,
    units_named,
)


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The full config of the run."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """``best.ckpt`` and ``last.ckpt``."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """Flat ``metrics.json``."""
        return self.path / "metrics.json"

    @property
    def results(self) -> Path:
        """Tidy ``results.csv``."""
        return self.path / "results.csv"

    @property
    def log(self) -> Path:
        """Loss by epoch, ``epochs.csv``."""
        return self.path / "epochs.csv"

    @property
    def population(self) -> Path:
        """Sites, bins and standardisation, ``population.json``."""
        return self.path / "population.json"

    @property
    def recording(self) -> Path:
        """What it was trained on, with a checksum of its content, ``recording.json``."""
        return self.path / "recording.json"

    @property
    def weights(self) -> Path:
        """Where adopted weights came from, ``weights.json``; runs trained here have none."""
        return self.path / "weights.json"

    @property
    def films(self) -> Path:
        """Videos that play in the report, ``films.npz``."""
        return self.path / "films.npz"

    @property
    def intervals(self) -> Path:
        """Intervals of what the decoder shows, ``intervals.npz``."""
        return self.path / "intervals.npz"

    @property
    def trained(self) -> bool:
        """Whether weights were ever kept here."""
        return any(self.checkpoints.glob("*.ckpt"))

    def figure(self, name: str) -> Path:
        """Path of a figure; its folder is made."""
        folder = self.path / "figures"
        folder.mkdir(exist_ok=True)
        return folder / name

    @classmethod
    def create(
        cls,
        run_dir: str | None,
        name: str,
        *,
        shared: bool = False,
        option: str = "run_dir",
    ) -> RunFolder:
        """Make the folder; without ``run_dir`` it is ``runs/NAME_DATE_TIME``, and new.

        It is this command's alone until the command ends, unless it is ``shared``. Raises
        InputError naming the ``option`` it was given with if it cannot be written, or another
        process writes to it.
        """
        path = Path(run_dir).expanduser() if run_dir else None
        try:
            if path is None:
                path = _new(Path("runs"), f"{name}_{datetime.now():%Y-%m-%d_%H-%M-%S}")
            make(path)
            tempfile.TemporaryFile(dir=path).close()
        except OSError as error:
            line = f"{option}: cannot write to {path}: {error.strerror}"
            inside = path is not None and cls(path.parent).config.is_file()
            if inside and option == "run_dir" and error.errno in (errno.EACCES, errno.EROFS):
                line += "; give out_dir=FOLDER for results elsewhere"  # the run is another's
            raise InputError(line) from error
        if not shared:
            _keep_inside(cls(path), option)
            lock(path)
        return cls(path)

    @classmethod
    def existing(cls, run_dir: str | None) -> RunFolder:
        """Return the folder of a run that was trained.

        Raises InputError if there is no run in it, or what is no file: a pipe or a device, which
        would be waited for, or read without end; or a link to a folder elsewhere.
        """
        if not run_dir:
            raise InputError("run_dir is not set; give the folder of a run: run_dir=runs/NAME")
        run = cls(Path(run_dir).expanduser())
        if not run.config.is_file():
            raise InputError(f"run_dir: {run.path} holds no run (no config.yaml)")
        if odd := no_file(run.path):
            raise InputError(f"run_dir: {odd} is a pipe, a socket or a device; refused")
        _keep_inside(run, "run_dir")
        return run

    def save_config(self, cfg: DictConfig) -> None:
        """Write the config, its paths absolute."""
        write_text(self.config, OmegaConf.to_yaml(absolute(cfg)))

    def save_population(self, population: Population) -> None:
        """Write what new trials need to be decoded without the recording."""
        write_text(self.population, json.dumps(population.to_json(), allow_nan=False) + "\n")

    def save_recording(self, recording: Recording, notes: Sequence[str] = ()) -> None:
        """Write what tells this recording from every other, and what was noted when it was read."""
        about = {
            "name": recording.name,
            "checksum": recording.checksum,
            "trials": {s.name: s.n_trials for s in recording.sessions},
            "sites": {s.name: len(s.sites) for s in recording.sessions},
        }
        about |= {"notes": list(notes)} if notes else {}
        write_text(self.recording, json.dumps(about, indent=2) + "\n")

    @property
    def recording_checksum(self) -> str | None:
        """Checksum of the recording of the run; ``None`` in runs that kept none.

        Raises InputError if the file is damaged.
        """
        if not self.recording.is_file():
            return None
        try:
            return str(read_json(self.recording)["checksum"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.recording}: is damaged") from error

    def fingerprint(self, *, but: Sequence[str] = ()) -> Fingerprint:
        """Fingerprint of the run in the folder, top-level options in ``but`` left out."""
        return Fingerprint.of(self.load_config(), self.recording_checksum, but=but)

    def load_config(self) -> DictConfig:
        """Read the config of the run.

        Raises InputError if it is not a config.
        """
        cfg = beside(load_stored(self.config), self.path)
        for name in ("recording", "data", "model", "loss", "task"):
            if not isinstance(cfg.get(name), DictConfig):
                raise InputError(f"{self.config}: is not the config of a run, it lacks '{name}'")
        check_seed(cfg.get("seed"), f"{self.config}: seed")
        keep_split(cfg, self.config)
        if "weights" not in cfg:  # earlier versions scored the best epoch alone
            cfg.weights = "best"
        with reading(self.config):
            weights_of(cfg)
        return cfg

    def checkpoint(self, name: str) -> Path:
        """Path of ``best`` or ``last``; must exist."""
        path = self.checkpoints / f"{name}.ckpt"
        if not path.is_file():
            raise InputError(f"no such checkpoint: {path}")
        return path

    def load_results(self) -> ResultTable:
        """Read ``results.csv``; names stay text, whatever they look like.

        Raises InputError if it is not a table of results.
        """
        kinds = {c: str for c in COLUMNS if c not in ("value", "n")}
        try:
            frame = pd.read_csv(
                self.results,
                dtype=kinds,
                keep_default_na=False,
                na_values={"value": ["", "nan"]},
                **EXACT,
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{self.results}: is not a table of results") from error
        return ResultTable(frame.drop(columns=N_UNIT, errors="ignore"))

    def save_metrics(self, metrics: Mapping[str, Any], table: pd.DataFrame) -> None:
        """Write ``results.csv`` and then ``metrics.json``."""
        write_text(self.results, units_named(table).to_csv(index=False, float_format="%.6g"))
        write_text(self.metrics, json.dumps(dict(metrics), indent=2, allow_nan=False) + "\n")


def no_file(folder: Path) -> Path | None:
    """First entry of a folder, or of those in it, that neither is nor leads to a file or folder.

    Links that lead nowhere pass: they are as good as missing.
    """
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            found = no_file(Path(entry.path))
            if found is not None:
                return found
        elif not entry.is_file() and not entry.is_dir() and Path(entry.path).exists():
            return Path(entry.path)
    return None


def _keep_inside(run: RunFolder, option: str) -> None:
    """Refuse a run that has a link for a folder: what is written there would lie elsewhere.

    Links to folders of the run itself pass.
    """
    root = run.path.resolve()
    for at, folders, _ in os.walk(run.path) if run.config.is_file() else ():
        for found in (Path(at, name) for name in folders):
            if found.is_symlink() and not found.resolve().is_relative_to(root):
                raise InputError(
                    f"{option}: {found} is a link to {found.resolve()}, where nothing of a run is "
                    "written; put a folder in its place"
                )


def begun_in(checkpoint: Path) -> RunFolder | None:
    """Folder of the run that a checkpoint belongs to, ``None`` if it lies elsewhere."""
    folder = RunFolder(checkpoint.parent.parent)
    return folder if checkpoint.parent.name == "checkpoints" and folder.config.is_file() else None


def _new(parent: Path, name: str) -> Path:
    """Make a folder that was not there: jobs that start in one second have one each."""
    make(parent)
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}_{number}")
        with suppress(FileExistsError):
            path.mkdir()
            remember(path)
            return path
    raise AssertionError


def keep_split(cfg: DictConfig, begun: Path) -> None:
    """Give a config the split of what was begun with another, the config file ``begun``.

    A run of an earlier version names no stream of its split. Its trials were dealt with the shared
    one, and must not change parts now; where a stream is named, nothing is done.
    """
    if not begun.is_file() or not isinstance(OmegaConf.select(cfg, "data.split"), DictConfig):
        return
    split = OmegaConf.select(load_stored(begun), "data.split")
    if isinstance(split, DictConfig) and "stream" not in split:
        cfg.data.split.stream = "shared"
