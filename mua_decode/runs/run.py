"""A run: a folder and a config, from which recording, data and network are made when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from mua_decode.data import DecodingData, Population, read_population
from mua_decode.metrics import VideoMetric
from mua_decode.recordings.files import reading
from mua_decode.runs.build import (
    build_data,
    build_network,
    build_recording,
    choose_device,
    load_weights,
    train_on,
)
from mua_decode.runs.checkpoints import weights_of
from mua_decode.runs.config import changed_config
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import check_targets
from mua_decode.runs.options import check_metrics
from mua_decode.runs.parts import build_metrics
from mua_decode.runs.progress import console
from mua_decode.runs.stored import without_command_line
from mua_decode.types import InputError, LeakState, Recording

SCORED = "scored"
# Option of a run whose weights were not trained here: the checksum of the file they came from.
ADOPTED = "adopted"
_NOT_TRAINED_BY = ("recording", "trusted", "logger", "metric", "floor")
_TRIALS = ("data", "seed")  # options that say which trials a run is scored on


class Run:
    """A run, finished or about to be trained; the one way to what it consists of.

    Recording, data and network are made when first asked for, and once.

    Parameters
    ----------
    folder
        Where it lies.
    cfg
        Resolved config, overrides applied.
    recording, data
        Where they are at hand already; else they are read and built as ``cfg`` says.
    checkpoint
        Weights of its network; ``None`` as long as it is not trained.
    device
        ``auto``, ``cpu`` or ``cuda``: where the network decodes; ``None``: where it is trained.
    """

    def __init__(
        self,
        folder: RunFolder,
        cfg: DictConfig,
        *,
        recording: Recording | None = None,
        data: DecodingData | None = None,
        checkpoint: Path | None = None,
        device: str | None = None,
    ) -> None:
        self.folder, self.cfg, self.checkpoint = folder, cfg, checkpoint
        self._device = device
        self.left_out: tuple[str, ...] = ()  # options of the folder that it is not asked for
        self._stored = False  # whether its config is that of its folder
        self.given: Run | None = None  # as it lies, where this one differs in how it is trained
        if recording is not None:
            self.recording = recording
        if data is not None:
            self.data = data.for_weights(elsewhere=self.adopted)

    @classmethod
    def open(
        cls,
        run_dir: str | Path | None,
        *,
        checkpoint: str | None = SCORED,
        device: str = "auto",
        overrides: Iterable[str] = (),
        trusted: Sequence[str] = (),
        recording: Recording | None = None,
    ) -> Run:
        """Open a trained run.

        Parameters
        ----------
        checkpoint
            ``best``, ``last``, or ``scored``: what the run says (``weights``). ``None``: its
            network is not asked for.
        overrides
            Changes of the run's own config, such as ``recording.root=/new/place``.
        trusted
            Packages of the user's that the run's config may name.
        recording
            Where it is at hand already.

        Logger and plugins of the trainer are those of ``overrides`` or none, whatever the folder
        says; see :mod:`mua_decode.runs.stored`.

        Raises InputError if there is no such run or checkpoint, or an override does not fit.
        """
        folder = RunFolder.existing(str(run_dir) if run_dir else None)
        stored, left_out = without_command_line(folder.load_config())
        cfg = changed_config(stored, [str(o) for o in overrides])
        cfg.trusted = list(trusted)
        path = None
        if checkpoint:
            path = folder.checkpoint(weights_of(cfg) if checkpoint == SCORED else checkpoint)
        choose_device(device)
        run = cls(folder, cfg, recording=recording, checkpoint=path, device=device)
        run.left_out = tuple(left_out)
        run._stored = not list(overrides)
        if recording is not None:
            run._check(recording)
        return run

    @cached_property
    def recording(self) -> Recording:
        """The recording, which must be the one the run was trained on.

        Raises InputError if its content is another.
        """
        with self._named():
            check_targets(self.cfg, ("recording", "data", "model"))
            found = build_recording(self.cfg)
        self._check(found)
        return found

    def _named(self) -> AbstractContextManager[None]:
        """Say of which config an option is that cannot be used, where the user did not type it."""
        return reading(self.folder.config) if self._stored else nullcontext()

    def _check(self, found: Recording) -> None:
        """Refuse a recording that is not the one the run was trained on."""
        known = self.folder.recording_checksum if self.folder.trained else None
        if known is not None and known != found.checksum:
            raise InputError(
                f"run_dir: {self.folder.path} was trained on another recording than "
                f"'{found.name}' as it is now (checksum of its content {known[:12]} then, "
                f"{found.checksum[:12]} now); give the one it was trained on, or train again"
            )

    @cached_property
    def data(self) -> DecodingData:
        """Windows, split, population and pseudo-trials."""
        recording = self.recording
        with self._named():
            built = build_data(self.cfg, recording)
        return built.for_weights(elsewhere=self.adopted)

    @cached_property
    def population(self) -> Population:
        """Sites, bins and standardisation; a trained run has them without its recording."""
        if "data" not in self.__dict__ and self.folder.population.is_file():
            return read_population(self.folder.population)
        return Population.of(self.data)

    @cached_property
    def network(self) -> nn.Module:
        """The trained network in evaluation mode on its device."""
        assert self.checkpoint is not None, "not trained"
        about = self.population
        # Building draws weights; those of the caller's own generator are not to be used up.
        with torch.random.fork_rng(devices=[]), self._named():
            network = build_network(
                self.cfg,
                n_sites=about.n_sites,
                n_bins=about.n_bins,
                frame_shape=about.frame_shape,
            )
        load_weights(network, self.checkpoint, inside="model.")
        return network.to(self.device).eval()

    @property
    def device(self) -> torch.device:
        """Where the network decodes."""
        if self._device is not None:
            return choose_device(self._device)
        return choose_device("auto", accelerator=self.cfg.trainer.get("accelerator"))

    @property
    def seed(self) -> int:
        """The one seed of the run."""
        return int(self.cfg.seed)

    @property
    def leaks(self) -> LeakState:
        """Whether recorded data of the test part can reach training; unknown of adopted weights."""
        if self.adopted:
            return LeakState.UNKNOWN
        return LeakState.of(str(self.cfg.data.split.unit), stored=self.recording.stored)

    @property
    def adopted(self) -> bool:
        """Whether its weights were trained elsewhere."""
        return self.cfg.get(ADOPTED) is not None

    def adopt(self, sha256: str) -> None:
        """Say that its weights come from a file with this checksum, trained elsewhere."""
        self.cfg[ADOPTED] = sha256
        self.data = self.data.for_weights(elsewhere=True)

    @property
    def origin(self) -> dict[str, str]:
        """What its numbers say of weights that were not trained here; nothing of others."""
        sha256 = self.cfg.get(ADOPTED)
        return {} if sha256 is None else {"weights": f"adopted weights, SHA-256 {sha256}"}

    @property
    def scored_part(self) -> str:
        """The part of the split that scores come from: test, or val where there is no test trial.

        Raises InputError if both are empty.
        """
        for part in ("test", "val"):
            if len(self.data.dataset(part)):
                return part
        raise InputError("data.split: both test and val are empty; nothing could be scored")

    @property
    def metrics(self) -> list[VideoMetric]:
        """Metrics that the config names."""
        return build_metrics(self.cfg)

    @property
    def fingerprint(self) -> Fingerprint:
        """What its results depend on: its options and the content of its recording."""
        return Fingerprint.of(self.cfg, self.recording.checksum)

    def decode(self, spikes: torch.Tensor) -> torch.Tensor:
        """Decode standardised counts (B, T, N) to video (B, C, T, H, W) in [0, 1]."""
        video: torch.Tensor = self.network(spikes.to(self.device))
        return video

    def score_as(self, cfg: DictConfig | Mapping[str, Any]) -> Run:
        """Take the metrics and floors that the config of a command names; returns the run.

        Raises InputError if it names no metric.
        """
        check_metrics(cfg)
        self.cfg.metric, self.cfg.floor = cfg.get("metric") or {}, cfg.get("floor") or {}
        check_targets(self.cfg, ("metric", "floor"))
        return self

    def changed(self, overrides: Iterable[str]) -> Run:
        """Return the run with options changed, on the same recording.

        Its data and weights stay where the overrides say nothing of how it is trained.
        """
        overrides = list(overrides)
        same = _leave_training(overrides)
        cfg = changed_config(self.cfg, overrides)
        if not same:
            cfg.pop(ADOPTED, None)
        found = Run(
            self.folder,
            cfg,
            recording=self.recording,
            data=self.__dict__.get("data") if same else None,
            checkpoint=self.checkpoint if same else None,
            device=self._device,
        )
        if same and self.given is not None:
            self.given.recording = self.recording
            found.given = self.given.changed(overrides)
        return found

    def at(self, folder: RunFolder, *, checkpoint: Path | None = None) -> Run:
        """The same run in another folder, with weights or without (then it is to be trained)."""
        cfg = self.cfg.copy()
        if checkpoint is None:
            cfg.pop(ADOPTED, None)
        return Run(
            folder,
            cfg,
            recording=self.recording,
            data=self.__dict__.get("data"),
            checkpoint=checkpoint,
            device=self._device,
        )

    def trained_in(self, folder: RunFolder) -> Run:
        """The run as it was trained in a folder, with the weights it is scored with.

        Raises InputError if the folder lacks them.
        """
        return self.at(folder, checkpoint=folder.checkpoint(weights_of(self.cfg)))

    def out(self, out_dir: str | None, name: str) -> Path:
        """Folder for the results of a question: as asked for, or NAME in the run's folder."""
        where = str(out_dir or self.folder.path / name)
        return RunFolder.create(where, name, option="out_dir" if out_dir else "run_dir").path


def open_run(cfg: DictConfig, **options: Any) -> Run:
    """Open the run that the config of a command names with run_dir, overrides, trusted ..."""
    given: dict[str, Any] = {k: str(cfg[k]) for k in ("checkpoint", "device") if k in cfg}
    given |= {"overrides": cfg.overrides or (), "trusted": list(cfg.trusted or ())}
    return Run.open(cfg.run_dir, **given | options)


def open_to_retrain(cfg: DictConfig) -> Run:
    """Open the finished run whose training a command varies, to be scored as the command says.

    Its checkpoint is kept where the overrides leave its training as it was; else the unvaried
    decoder has to be trained as well.

    Raises InputError if there is no finished run, or an override does not fit.
    """
    overrides = [str(o) for o in cfg.overrides or ()]
    run = open_run(cfg, device="auto")
    if not run.folder.metrics.is_file():
        raise InputError(f"run_dir: {run.folder.path} holds an unfinished run; finish it first")
    for name in run.left_out:
        console.print(
            f"note: {name} is not taken from the folder of a run; name it in overrides to have it",
            soft_wrap=True,
        )
    source = run.score_as(cfg).cfg
    check_targets(source)
    train_on(source, cfg.device)
    checkpoint = run.checkpoint if _leave_training(overrides) else None
    varied = Run(run.folder, source, checkpoint=checkpoint)
    if checkpoint is None and not any(_part(o) in _TRIALS for o in overrides):
        placing = [o for o in overrides if _part(o) in _NOT_TRAINED_BY]
        varied.given = open_run(cfg, device=cfg.device, overrides=placing).score_as(cfg)
    return varied


def _leave_training(overrides: Iterable[str]) -> bool:
    """Whether a run trained with these overrides would be the same; its place may be another."""
    return all(_part(o) in _NOT_TRAINED_BY for o in overrides)


def _part(override: str) -> str:
    return override.lstrip("+").split("=")[0].split(".")[0]
