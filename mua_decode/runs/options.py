"""Options as they are typed, and what of them is refused before anything is composed of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from mua_decode.runs.blocks import is_under, name_of
from mua_decode.types import InputError

# Values of these are paths: quoted for Hydra, so that they can be typed as they are.
_PATHS = (
    "recording.root", "recording.path", "recording.labels", "run_dir", "out", "out_dir",
    "ckpt_path", "weights", "decoder",
)  # fmt: skip
_LARGEST_SEED = 2**63 - 1
# What stands here for parts of Hydra that start and log programs.
_INSTEAD = {
    "hydra.run": "the folder of a run is run_dir=FOLDER",
    "hydra.sweep": "the folder of a multirun is run_dir=FOLDER",
    "hydra.sweeper": "mua-decode sweep searches",
    "hydra.launcher": "mua-decode sweep launcher=NAME starts workers",
    "hydra.job.chdir": "no command changes the working folder",
    "hydra.callbacks": "callbacks=[NAME] are those of the training",
}


def check_hydra(overrides: Sequence[str]) -> None:
    """Refuse options of Hydra's own that have no effect here."""
    for override in overrides:
        name = name_of(override).replace("/", ".")
        if name.split(".")[0] != "hydra":
            continue
        near = next((said for part, said in _INSTEAD.items() if is_under(name, [part])), None)
        hint = near or "of hydra.* only searchpath is used"
        raise InputError(f"{name_of(override)} has no effect here: {hint}")


def check_kinds(cfg: DictConfig, default: DictConfig, *, but: Sequence[str]) -> None:
    """Refuse text where the default is a number, a number where it is a list, and the like."""
    present = set(keys(cfg))
    for name in keys(default):
        expected = OmegaConf.select(default, name)
        if not isinstance(expected, bool | int | float | ListConfig) or name not in present:
            continue
        if is_under(name, but):
            continue
        found = OmegaConf.select(cfg, name)
        if isinstance(expected, ListConfig):
            kind, fits = "a list", not isinstance(found, bool | int | float)
        elif isinstance(expected, bool):
            kind, fits = "true or false", isinstance(found, bool)
        elif isinstance(expected, int):
            kind, fits = "a whole number", isinstance(found, int) and not isinstance(found, bool)
        else:
            fits = isinstance(found, int | float) and not isinstance(found, bool)
            kind, fits = "a number", fits and math.isfinite(found)
        if not fits and not (found is None and name.startswith("trainer.")):
            raise InputError(f"{name}: expected {kind} such as {expected}, found {found!r}")


def check_lists(overrides: Sequence[str]) -> None:
    """Refuse a change of the run's config that is no list of quoted changes."""
    parser = OverridesParser.create()
    for override in overrides:
        name, equals, value = override.partition("=")
        if name != "overrides" or not equals:
            continue
        try:
            changes = parser.parse_override(override).value()
        except HydraException:
            changes = None
        if not isinstance(changes, list) and value != "null":
            inside = value.strip("[]'\" ") or "name=value"
            raise InputError(
                "overrides: expected a list of quoted changes such as "
                f"overrides='[\"{inside}\"]', found {value}"
            )


def quoted(override: str) -> str:
    """Quote a path for Hydra, so that it can be typed as it is."""
    name, equals, value = override.partition("=")
    plain = re.fullmatch(r"[\w./-]*|'.*'|\".*\"|\$\{.*", value, re.ASCII)
    if name not in _PATHS or not equals or plain:
        return override
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def keys(cfg: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all options of a config, groups of them too."""
    if isinstance(cfg, DictConfig):
        given: Iterable[Any] = cfg  # a name, or a number in codes
        for key in given:
            name = f"{prefix}{key!s}"
            yield name
            if not OmegaConf.is_missing(cfg, key) and not OmegaConf.is_interpolation(cfg, key):
                yield from keys(cfg[key], f"{name}.")


def check_seed(seed: object, where: str) -> None:
    """Refuse what no generator of random numbers can be seeded with."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{where}: expected a whole number >= 0, found {seed}")
    if seed > _LARGEST_SEED:
        raise InputError(f"{where}: expected at most {_LARGEST_SEED} (2^63 - 1), found {seed}")


def check_metrics(cfg: DictConfig | Mapping[str, Any]) -> None:
    """Refuse a config that scores by nothing.

    Raises InputError if no metric is chosen.
    """
    if not cfg.get("metric"):
        raise InputError("metric: none is chosen; name at least one, e.g. metric=[mse]")
