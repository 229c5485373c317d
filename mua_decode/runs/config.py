"""Hydra configs: composed from conf/ and the command line, and changed afterwards."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import mua_decode
from mua_decode.types import InputError, nearest_name

_NOTHING = object()
_LARGEST_SEED = 2**63 - 1
# Values of these are paths: quoted for Hydra, so that they can be typed as they are.
_PATHS = (
    "recording.root", "recording.path", "recording.labels", "run_dir", "out", "out_dir",
    "ckpt_path", "weights", "decoder",
)  # fmt: skip


def config_folder() -> Path:
    """Folder of the configs: inside the installed package, or conf/ of a checkout."""
    package = Path(mua_decode.__file__).parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise InputError("the configs (conf/) are missing from this installation; install it again")


def compose(command: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the config of a command.

    Raises InputError in one line, with the nearest right name, if an override cannot be applied.
    """
    _check_lists(overrides)
    try:
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            cfg = hydra.compose(command, overrides=[_quoted(o) for o in overrides])
        OmegaConf.resolve(cfg)
    except MissingConfigException as error:
        missing = Path(error.missing_cfg_file or "")
        group = str(missing.parent).strip("/").split("@")[0]
        options = error.options or groups().get(group, [])
        raise InputError(
            f"{group}={missing.name}: there is no such {group}"
            f"{nearest_name(missing.name, options)}; choose from: {', '.join(options)}"
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_one_line(command, error)) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{' '.join(overrides)}: {error}") from error
    removed = [o for o in overrides if o.startswith("~") and "." not in o]
    if removed:
        raise InputError(f"{removed[0]}: a whole group cannot be removed")
    unknown = [str(key) for key in cfg if key not in _declared(command)]
    if unknown:
        known = _declared(command)
        raise InputError(
            f"'{unknown[0]}' is not an option of {command}{nearest_name(unknown[0], known)}"
        )
    chosen = [o for o in overrides if "." not in o.split("=")[0]]
    if len(chosen) < len(overrides):
        _check_kinds(cfg, compose(command, chosen))
    check_seed(cfg.get("seed", 0), "seed")
    return cfg


def check_seed(seed: object, where: str) -> None:
    """Refuse what no generator of random numbers can be seeded with."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{where}: expected a whole number >= 0, found {seed}")
    if seed > _LARGEST_SEED:
        raise InputError(f"{where}: expected at most {_LARGEST_SEED} (2^63 - 1), found {seed}")


def _check_kinds(cfg: DictConfig, default: DictConfig) -> None:
    """Refuse text where the default is a number, a number where it is a list, and the like."""
    present = set(_keys(cfg))
    for name in _keys(default):
        expected = OmegaConf.select(default, name)
        if not isinstance(expected, bool | int | float | ListConfig) or name not in present:
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


def _check_lists(overrides: Sequence[str]) -> None:
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


def _quoted(override: str) -> str:
    name, equals, value = override.partition("=")
    plain = re.fullmatch(r"[\w./-]*|'.*'|\".*\"|\$\{.*", value, re.ASCII)
    if name not in _PATHS or not equals or plain:
        return override
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def _declared(command: str) -> set[str]:
    """Top-level options of a command: those of its file and its config groups."""
    plain = OmegaConf.load(config_folder() / f"{command}.yaml")
    assert isinstance(plain, DictConfig)
    defaults = plain.pop("defaults", [])
    named = {str(key) for entry in defaults if isinstance(entry, DictConfig) for key in entry}
    return {str(key) for key in plain} | named


def groups() -> dict[str, list[str]]:
    """Config groups and the options of each."""
    folder = config_folder()
    return {
        group.name: sorted(p.stem for p in group.glob("*.yaml"))
        for group in sorted(folder.iterdir())
        if group.is_dir() and any(group.glob("*.yaml"))
    }


def load_option(group: str, chosen: str | Sequence[str]) -> DictConfig:
    """Return the unresolved config of one option of a group, or of several side by side.

    Raises InputError if the group has no such option, naming the nearest.
    """
    names = [chosen] if isinstance(chosen, str) else [str(name) for name in chosen]
    merged = OmegaConf.create({})
    for name in names:
        options = groups().get(group, [])
        if name not in options:
            raise InputError(
                f"{group}={name}: there is no such {group}{nearest_name(name, options)}; "
                f"choose from: {', '.join(options)}"
            )
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            found = hydra.compose(f"{group}/{name}")
        merged.merge_with(found.get(group) or {})
    return merged


def changed_config(source: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return a resolved copy of a run's config with options changed.

    ``data.regions=[MT]`` sets an option; ``model=mlp_decoder`` or ``metric=[mse,ssim]`` put the
    named configs of a group in the place of what was there. ``+task.optimizer.momentum=0.9`` adds
    an option that the config does not have.

    Raises InputError if an override cannot be applied, naming it.
    """
    cfg = OmegaConf.create(OmegaConf.to_container(source, resolve=True))
    assert isinstance(cfg, DictConfig)
    for override in overrides:
        name, equals, value = override.lstrip("+").partition("=")
        if not equals:
            raise InputError(f"overrides: '{override}' is not written name=value")
        _check_known(cfg, name, added=override.startswith("+"))
        try:
            if name in groups():
                chosen = OmegaConf.create(f"chosen: {value}").chosen
                cfg[name] = load_option(name, chosen)
            else:
                cfg.merge_with_dotlist([f"{name}={value}"])
        except InputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(f"overrides: {override}: {reason}") from error
    OmegaConf.resolve(cfg)
    return cfg


def _check_known(cfg: DictConfig, name: str, *, added: bool) -> None:
    """Refuse an option that neither the run has nor the configs it was made of."""
    top = name.split(".")[0]
    here, hint = [str(key) for key in cfg], ""
    if top not in {*here, *groups(), *_declared("train")}:
        name, known = top, here
    elif added or name == top or OmegaConf.select(cfg, name, default=_NOTHING) is not _NOTHING:
        return
    else:
        known, hint = [*_keys(cfg), *_shipped(cfg, top)], f"; +{name}=... adds it"
        if name in known:
            return
    near = nearest_name(name, dict.fromkeys(known))
    raise InputError(f"overrides: '{name}' is not an option of the run{near}{hint}")


def _shipped(cfg: DictConfig, group: str) -> Iterator[str]:
    """Names that the options of a group have by now, of those that a run was made of."""
    here = cfg.get(group)
    for option in groups().get(group, []) if isinstance(here, DictConfig) else ():
        target = OmegaConf.select(
            OmegaConf.load(config_folder() / group / f"{option}.yaml"), "_target_"
        )
        # Several lie side by side by their names, as metrics do.
        if option in here or target == here.get("_target_"):
            yield from _keys(load_option(group, option), f"{group}.")


def _one_line(command: str, error: Exception) -> str:
    """Say what Hydra objects to in one line, with the nearest right name."""
    text = str(error)
    unknown = re.search(r"Could not (?:override|append) (?:to )?'([^'@]+)", text)
    if unknown:
        name = unknown.group(1)
        known = dict.fromkeys([*_keys(compose(command, [])), *_declared(command)])
        return f"'{name}' is not an option of {command}{nearest_name(name, known)}"
    return " ".join(text.split())


def _keys(cfg: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(cfg, DictConfig):
        given: Iterable[Any] = cfg  # a name, or a number in codes
        for key in given:
            name = f"{prefix}{key!s}"
            yield name
            if not OmegaConf.is_missing(cfg, key) and not OmegaConf.is_interpolation(cfg, key):
                yield from _keys(cfg[key], f"{name}.")


def check_metrics(cfg: DictConfig) -> None:
    """Refuse a config that scores by nothing.

    Raises InputError if no metric is chosen.
    """
    if not cfg.get("metric"):
        raise InputError("metric: none is chosen; name at least one, e.g. metric=[mse]")
