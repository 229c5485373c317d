"""Whole blocks of a config: ``task.scheduler={_target_: ...}`` replaces all that stood there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

OPTIMIZER = "optimizer"
_ITS_PLACE = "task.optimizer"


@dataclass(frozen=True)
class Change:
    """An override of one option, read.

    ``whole``: it is a block with a ``_target_``, which stands for all options of its name.
    """

    name: str
    value: Any
    whole: bool = False


def name_of(override: str) -> str:
    """Name of the option that an override sets, adds or removes."""
    return override.lstrip("+~").partition("=")[0].split("@")[0]


def is_under(name: str, parents: Iterable[str]) -> bool:
    """Whether an option is one of ``parents`` or inside one."""
    return any(name == p or name.startswith(f"{p}.") for p in parents)


def read_change(override: str) -> Change | None:
    """Read an override that sets a value; ``None`` if it is none of these."""
    if override.startswith("~"):
        return None
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException:
        return None
    if parsed.is_sweep_override():
        return None
    value = parsed.value()
    whole = isinstance(value, dict) and "_target_" in {str(k) for k in value}
    return Change(name_of(override), value, whole)


def split_blocks(overrides: Sequence[str]) -> tuple[list[Change], list[str]]:
    """Take whole blocks out of overrides, and the changes inside them that follow; and the rest."""
    blocks: list[Change] = []
    rest: list[str] = []
    for override in overrides:
        inside = is_under(name_of(override), [b.name for b in blocks])
        change = read_change(override) if inside or "_target_" in override else None
        if change is not None and (change.whole or inside):
            blocks.append(change)
        else:
            rest.append(override)
    return blocks, rest


def apply_blocks(cfg: DictConfig, changes: Sequence[Change]) -> None:
    """Put blocks in their places, and what is changed inside them."""
    with open_dict(cfg):
        for change in changes:
            value = change.value
            if change.whole and OmegaConf.select(cfg, f"{change.name}._partial_"):
                # What is called later, with more arguments, is so whatever stands there.
                value = {"_partial_": True, **value}
            if isinstance(value, dict | list):
                value = OmegaConf.create(value)
            OmegaConf.update(cfg, change.name, value, merge=False, force_add=True)


def move_optimizer(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Put the optimizer that ``optimizer=NAME`` chose in its place, in that of the task's own.

    Options of ``task.optimizer`` among the overrides hold for it.
    """
    chosen = cfg.get(OPTIMIZER)
    if chosen is None:
        return
    with open_dict(cfg):
        del cfg[OPTIMIZER]
    asked = [o for o in overrides if name_of(o).startswith(f"{_ITS_PLACE}.")]
    changes = [change for o in asked if (change := read_change(o)) is not None]
    apply_blocks(cfg, [Change(_ITS_PLACE, OmegaConf.to_container(chosen), whole=True), *changes])
