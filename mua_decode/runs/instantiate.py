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

from mua_decode.limits import memory_refused, too_large
from mua_decode.runs.own_code import find_here
from mua_decode.runs.plugins import registered
from mua_decode.runs.search_path import config_folder
from mua_decode.types import InputError

# What stored configs of earlier versions call by another name.
RENAMED = {
    "mua_decode.commands.sweep_launch.LocalLauncher": "mua_decode.sweep.launch.LocalLauncher",
    "mua_decode.commands.sweep_launch.SubmititLauncher": "mua_decode.sweep.launch.SubmititLauncher",
}


# Groups of conf/ whose targets are built in their own place alone.
_OWN_PLACE = ("logger", "launcher", "trainer", "sweep", "callbacks")
# What a config may name with _target_, and where.
_PARTS = ("recording", "data", "model", "loss", "task", "metric", "floor", "features", *_OWN_PLACE)


def instantiate(
    cfg: Any, *, trusted: Iterable[str] = (), place: str | None = None, **kwargs: Any
) -> Any:
    """Build the object a config names with ``_target_``.

    Only what the configs shipped with this project name, optimisers and schedules of torch, what
    an installed plugin has registered, and the packages in ``trusted`` are built: a run folder from
    elsewhere cannot run code.

    Parameters
    ----------
    place
        ``logger``, ``launcher``, ``trainer``, ``sweep`` or ``callbacks``: what the shipped configs
        of this group name; ``None``: what those of every other group name. Trusted packages and
        torch stand in any place but the trainer's, a Lightning logger of a trusted package in the
        logger's.

    Raises InputError if a target is not allowed, not found, refuses its arguments, or asks for more
    memory than there is.
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
    except (HydraException, MemoryError, RuntimeError) as error:
        cause = (error.__cause__ if isinstance(error, HydraException) else None) or error
        if isinstance(cause, InputError):
            raise cause from None
        if memory_refused(cause):
            raise too_large(name) from error
        if not isinstance(error, HydraException):
            raise
        raise InputError(f"{name}: {' '.join(str(cause).split())}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{name}: {error}") from error


def check_targets(cfg: DictConfig, parts: Iterable[str] = _PARTS) -> None:
    """Refuse a config that names what may not be built, before anything is read.

    Raises InputError if a target in one of these ``parts`` is not allowed, or not found.
    """
    trusted = tuple(cfg.get("trusted") or ())
    for part in parts:
        for target in _targets(cfg.get(part)):
            _check_target(target, trusted, part if part in _OWN_PLACE else None)


def _renamed(cfg: Any) -> Any:
    """Return the config with names of earlier versions replaced."""
    if OmegaConf.select(cfg, "_target_") not in RENAMED:
        return cfg
    return OmegaConf.merge(cfg, {"_target_": RENAMED[cfg._target_]})


def _targets(cfg: Any) -> Iterator[str]:
    if isinstance(cfg, DictConfig | dict):
        for key, value in cfg.items():
            if key == "_target_":
                if value is not None:
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
    target = RENAMED.get(target, target)
    if target in _shipped_targets(place) or (place is None and registered(target)):
        return
    misplaced = InputError(f"_target_: {target} cannot stand in the place of a {place or 'part'}")
    elsewhere = place == "trainer"  # it reaches the network and other processes
    if elsewhere or any(target in _shipped_targets(p) for p in (None, *_OWN_PLACE) if p != place):
        raise misplaced
    mine = any(target.startswith(f"{p}.") for p in trusted)
    if mine or (place is None and target.startswith("torch.optim.")):
        try:
            if mine:
                find_here(trusted)
            found = hydra.utils.get_object(target)
        except Exception as error:
            said = " ".join(str(error.__cause__ or error).split())
            why = f" ({said[:200]})" if mine else ""
            raise InputError(f"_target_: there is no {target}{why}") from error
        if place == "logger" and not _logs(found):
            raise misplaced
        if isinstance(found, type) and _optimises(found):
            return
        # A dotted path can wander into other modules; what counts is where the object is from.
        home = str(getattr(found, "__module__", ""))
        if any(home == p or home.startswith(f"{p}.") for p in trusted):
            return
    raise InputError(
        f"_target_: {target} is named by no config of mua_decode; list its package in "
        "trusted=[PACKAGE] if you trust this config, or install the plugin that it comes with"
    )


def _logs(found: object) -> bool:
    from pytorch_lightning.loggers import Logger  # takes seconds

    return isinstance(found, type) and issubclass(found, Logger)


def _optimises(found: type) -> bool:
    from torch.optim import Optimizer  # takes seconds; shipped targets are known without it
    from torch.optim.lr_scheduler import LRScheduler

    return issubclass(found, Optimizer | LRScheduler)
