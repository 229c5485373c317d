"""Options of the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mua_decode.types import InputError

SHOWN, UNSEEN = "shown", "never_shown"


@dataclass(frozen=True, kw_only=True)
class DatasetPlan:
    """A recording, and what is asked of it.

    Parameters
    ----------
    train
        Options of ``mua-decode train``; ``None``: no network is trained.
    shown
        What a split with every video on both sides is, beside ``train``; ``None``: not asked.
    unseen
        What holds videos out, beside ``train``; ``None``: not asked.
    methods
        What else a method is trained with here, by its name.
    likelihood
        Options of ``mua-decode likelihood``; ``None``: that is not asked.
    """

    train: tuple[str, ...] | None
    shown: tuple[str, ...] | None
    unseen: tuple[str, ...] | None
    methods: Mapping[str, tuple[str, ...]]
    likelihood: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class MethodPlan:
    """A method: ``overrides`` of a training, such as ``model=mlp_decoder``."""

    overrides: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LeaderboardPlan:
    """Everything that is asked.

    Parameters
    ----------
    dataset, method
        By name. Floors are scored beside the first method.
    n_seeds, seed
        Networks, splits and populations drawn anew: ``seed``, ``seed + 1`` ...
    shown
        Whether videos that training has too are asked for.
    metric, floor
        Configs by name.
    device
        ``auto``, ``cpu`` or ``cuda``.
    trusted
        Packages of the user's own that a config may name.
    """

    dataset: Mapping[str, DatasetPlan]
    method: Mapping[str, MethodPlan]
    n_seeds: int
    seed: int
    shown: bool
    metric: Mapping[str, Any]
    floor: Mapping[str, Any]
    device: str
    trusted: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.dataset or not self.method:
            raise InputError("leaderboard: give at least one dataset and one method")
        if self.n_seeds < 1:
            raise InputError(f"n_seeds: expected at least 1, found {self.n_seeds}")

    def questions(self, dataset: str) -> dict[str, tuple[str, ...]]:
        """What is trained on a dataset: its options for videos shown, and never shown."""
        of = self.dataset[dataset]
        if of.train is None:
            return {}
        asked = {SHOWN: of.shown if self.shown else None, UNSEEN: of.unseen}
        return {name: (*of.train, *own) for name, own in asked.items() if own is not None}
