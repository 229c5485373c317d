"""What a config names with ``_target_``, built; nothing a foreign config names can run code.

A logger, a launcher, a trainer and what a sweep searches with reach the network, other processes or
a database. Each is built where it belongs and nowhere else, so that no recording's ``_target_``
makes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mua_decode.runs.config import config_folder
from mua_decode.types import InputError

# What stored configs of earlier versions call by another name.
RENAMED = {
    "mua_decode.commands.sweep_launch.LocalLauncher": "mua_decode.sweep.launch.LocalLauncher",
    "mua_decode.commands.sweep_launch.SubmititLauncher": "mua_decode.sweep.launch.SubmititLauncher",
}


# Groups of conf/ whose targets are built in their own place alone.
_OWN_PLACE = ("logger", "launcher", "trainer", "sweep")


def instantiate(
    cfg: Any, *, trusted: Iterable[str] = (), place: str | None = None, **kwargs: Any
) -> Any:
    """Build the object a config names with ``_target_``.

    Only what the configs shipped with this project name, optimisers and schedules of torch, and
    the packages in ``trusted`` are built: a run folder from elsewhere cannot run code.

    Parameters
    ----------
    place
        ``logger``, ``launcher``, ``trainer`` or ``sweep``: what the shipped configs of this group
        name, and nothing else; ``None``: what those of every other group name.

    Raises InputError if a target is not allowed, not found, or refuses its arguments.
    """
    cfg = _renamed(cfg)
    targets = list(_targets(cfg))
    if not targets:
        raise InputError(f"{place or 'config'}: names nothing to build; it lacks _target_")
    for target in targets:
        _check_target(target, tuple(trusted), place)
    name = str(cfg.get("_target_", "")).rpartition(".")[2]
    try:
        # Keyword arguments go past Hydra, which would turn dataclasses into dictionaries.
        build = hydra.utils.instantiate(cfg, _partial_=True, _convert_="all")
        return build(**kwargs)
    except InputError:
        raise
    except HydraException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from None
        raise InputError(f"{name}: {' '.join(str(cause).split())}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: {error}") from error


def _renamed(cfg: Any) -> Any:
    """Return the config with names of earlier versions replaced."""
    if OmegaConf.select(cfg, "_target_") not in RENAMED:
        return cfg
    return OmegaConf.merge(cfg, {"_target_": RENAMED[cfg._target_]})


def _targets(cfg: Any) -> Iterator[str]:
    if isinstance(cfg, DictConfig | dict):
        for key, value in cfg.items():
            if key == "_target_":
                yield str(value)
            else:
                yield from _targets(value)
    elif isinstance(cfg, ListConfig | list):
        for value in cfg:
            yield from _targets(value)


@lru_cache
def _shipped_targets(place: str | None) -> frozenset[str]:
    """Everything the shipped configs of a place name with ``_target_``."""
    conf = config_folder()
    files = (conf / place).rglob("*.yaml") if place else conf.rglob("*.yaml")
    texts = (
        path.read_text(encoding="utf-8")
        for path in files
        if place or path.relative_to(conf).parts[0] not in _OWN_PLACE
    )
    return frozenset(t for text in texts for t in re.findall(r"_target_:\s*([\w.]+)", text))


def _check_target(target: str, trusted: tuple[str, ...], place: str | None) -> None:
    if target in _shipped_targets(place):
        return
    if place is not None or any(target in _shipped_targets(p) for p in _OWN_PLACE):
        raise InputError(f"_target_: {target} cannot stand in the place of a {place or 'part'}")
    if target.startswith("torch.optim.") or any(target.startswith(f"{p}.") for p in trusted):
        try:
            found = hydra.utils.get_object(target)
        except Exception as error:
            raise InputError(f"_target_: there is no {target}") from error
        if isinstance(found, type) and issubclass(found, Optimizer | LRScheduler):
            return
        # A dotted path can wander into other modules; what counts is where the object is from.
        home = str(getattr(found, "__module__", ""))
        if any(home == p or home.startswith(f"{p}.") for p in trusted):
            return
    raise InputError(
        f"_target_: {target} is named by no config of mua_decode; list its package in "
        "trusted=[PACKAGE] if you trust this config"
    )
