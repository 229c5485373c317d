"""The network of a finished run with what it has to know of its input, without a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from mua_decode.data import Population, read_population
from mua_decode.runs.build import build_data, build_recording, load_checkpoint
from mua_decode.runs.config import instantiate
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.open import source_config
from mua_decode.types import InputError

_PREFIX = "model."


@dataclass(frozen=True, eq=False)
class StoredNetwork:
    """A decoder in evaluation mode on its device, and the population it was trained on."""

    folder: RunFolder
    cfg: DictConfig
    population: Population
    network: nn.Module
    checkpoint: Path
    device: torch.device


def open_network(
    run_dir: str | Path | None,
    *,
    checkpoint: str = "best",
    device: str = "auto",
    overrides: Sequence[str] = (),
    trusted: Sequence[str] = (),
) -> StoredNetwork:
    """Open the network of a finished run.

    Parameters
    ----------
    run_dir
        Folder of the run. One trained before ``population.json`` was kept reads its recording.
    checkpoint
        ``best`` or ``last``.
    device
        ``auto``, ``cpu`` or ``cuda``.
    overrides
        Changes of the run's own config, such as ``recording.root=/new/place``.
    trusted
        Packages of your own that the run's config may name.

    Raises
    ------
    InputError
        If there is no run, no checkpoint, or the weights are another network's.
    """
    asked = {"run_dir": run_dir and str(run_dir), "overrides": list(overrides)}
    folder, cfg = source_config(OmegaConf.create({**asked, "trusted": list(trusted)}))
    path = folder.checkpoint(checkpoint)
    if folder.population.is_file():
        population = read_population(folder.population)
    else:
        population = Population.of(build_data(cfg, build_recording(cfg)))
    place = _device(device)
    # Building draws weights; those of the caller's own generator are not to be used up.
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = instantiate(
            cfg.model,
            trusted=trusted,
            n_sites=population.n_sites,
            n_bins=population.n_bins,
            frame_shape=population.frame_shape,
        )
    _load(network, path)
    return StoredNetwork(folder, cfg, population, network.to(place).eval(), path, place)


def _device(name: str) -> torch.device:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device={name}: choose from auto, cpu, cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("device=cuda: this machine has no CUDA device that torch can use")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def _load(network: nn.Module, path: Path) -> None:
    """Put the network's weights of a checkpoint in; those of the loss are left."""
    state = load_checkpoint(path)["state_dict"]
    weights = {k.removeprefix(_PREFIX): v for k, v in state.items() if k.startswith(_PREFIX)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[1:2]
        raise InputError(f"{path}: does not fit this network: {' '.join(first).strip()}") from error
