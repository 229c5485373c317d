"""Hydra configs: composed from conf/ and the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mua_decode.runs import plugins
from mua_decode.runs.blocks import (
    apply_blocks,
    move_optimizer,
    name_of,
    read_change,
    split_blocks,
)
from mua_decode.runs.config_files import KeptConfigs, top_level
from mua_decode.runs.group_files import check_package, check_whole, leave_unchosen
from mua_decode.runs.options import check_hydra, check_kinds, check_lists, check_seed, keys, quoted
from mua_decode.runs.search_path import (
    NAMED_IF_SEVERAL,
    command_text,
    config_folder,
    folders_asked,
    groups,
    not_read,
    package_of,
    searching,
    several,
    staged,
    user_folders,
)
from mua_decode.types import InputError, nearest_name

_NOTHING = object()


def compose(
    command: str, overrides: Sequence[str], *, config_name: str | None = None
) -> DictConfig:
    """Compose the config of a command.

    Parameters
    ----------
    config_name
        Config to begin with instead of ``COMMAND.yaml``; it has the same options.

    ``inspect`` takes the options of a training with an experiment, of which it needs a part.

    Raises InputError in one line, with the nearest right name, if an override cannot be applied.
    """
    if command == "inspect" and any(name_of(o) == "experiment" for o in overrides):
        own = declared(command) - declared("train")
        alone = [o for o in overrides if name_of(o).split(".")[0] in own]
        others = [o for o in overrides if o not in alone]
        trained = compose("train", others, config_name=config_name)
        here, known = compose(command, alone), sorted(declared(command))
        return OmegaConf.create({n: (here if n in own else trained)[n] for n in known})
    check_lists(overrides)
    folders, overrides = folders_asked(overrides, config_name)
    with searching(folders, option="hydra.searchpath"):
        cfg = _finished(command, overrides, config_name)
        chosen = [o for o in overrides if "." not in name_of(o)]
        if len(chosen) < len(overrides):
            whole = [b.name for b in split_blocks([quoted(o) for o in overrides])[0]]
            if config_name or user_folders() or plugins.names() or any(".y" in o for o in chosen):
                default = _finished(command, chosen, config_name, say=False)
            else:
                default = _shipped_default(command, tuple(chosen))
            check_kinds(cfg, default, but=whole)
    check_seed(cfg.get("seed", 0), "seed")
    if cfg.get("trusted") and "trusted" not in map(name_of, overrides):
        raise InputError(
            f"trusted: a config file names {', '.join(map(str, cfg.trusted))}; what is trusted is "
            "said on the command line: trusted=[PACKAGE]"
        )
    return cfg


@lru_cache(maxsize=64)
def _shipped_default(command: str, chosen: tuple[str, ...]) -> DictConfig:
    """Config of the package's files alone, which do not change; not to be written into."""
    return _finished(command, chosen, None, say=False)


def _finished(
    command: str, overrides: Sequence[str], config_name: str | None, *, say: bool = True
) -> DictConfig:
    """Config with whole blocks in their places and nothing in it that the command does not know."""
    cfg = _composed(command, overrides, config_name, say=say)
    _leave_parts_of_others(cfg, command, overrides, config_name)
    for group in {*NAMED_IF_SEVERAL} & {*map(name_of, overrides)}:
        leave_unchosen(cfg, group)
    removed = [o for o in overrides if o.startswith("~") and "." not in o]
    if removed:
        raise InputError(f"{removed[0]}: a whole group cannot be removed")
    known = declared(command)
    unknown = [str(key) for key in cfg if key not in known]
    if unknown:
        raise InputError(
            f"'{unknown[0]}' is not an option of {command}{nearest_name(unknown[0], known)}"
        )
    for group in known & set(groups()) & set(cfg):
        check_package(cfg, group)
        check_whole(cfg, group)
    missing = [name for name in top_level(command_text(command))[0] if name not in cfg]
    if missing:
        raise InputError(
            f"{config_name}: lacks '{missing[0]}'; begin it with defaults: [{command}, _self_]"
        )
    return cfg


def _composed(
    command: str, overrides: Sequence[str], config_name: str | None, *, say: bool
) -> DictConfig:
    check_hydra(overrides)
    try:
        with search(command, overrides) as named:
            blocks, rest = split_blocks([quoted(o) for o in named])
            cfg = hydra.compose(config_name or command, overrides=rest, return_hydra_config=say)
            if say:
                _say(cfg, config_name or command)
        apply_blocks(cfg, blocks)
        move_optimizer(cfg, [quoted(o) for o in named])
        OmegaConf.resolve(cfg)
    except MissingConfigException as error:
        raise _no_such(error) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_one_line(command, error, overrides, config_name)) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{' '.join(overrides)}: {error}") from error
    return cfg


def _leave_parts_of_others(
    cfg: DictConfig, command: str, overrides: Sequence[str], config_name: str | None
) -> None:
    """Take out what an experiment says of a part that was exchanged on the command line.

    ``experiment=demo model=mlp_decoder`` has no use for the width of the network that the
    experiment was written for.
    """
    experiments = {group for group in groups() if package_of(group) == "_global_"}
    written = re.findall(r"^ +- (\w+): (?!null)", command_text(command), re.MULTILINE)
    if config_name is None and not experiments & {*map(name_of, overrides), *written}:
        return
    for override in overrides:
        group, _, chosen = override.partition("=")
        here = cfg.get(group)
        if not isinstance(here, DictConfig) or "_target_" not in here or "{" in chosen:
            continue
        typed = [name_of(o) for o in overrides if name_of(o).startswith(f"{group}.")]
        own = {f"{group}.{k}" for k in keys(load_option(group, chosen))}
        extra = [k for k in keys(here) if (n := f"{group}.{k}") not in own and n not in typed]
        if not extra:
            continue
        rest = [o for o in overrides if name_of(o) != group and name_of(o) not in typed]
        usual = _composed(command, rest, config_name, say=False)
        if OmegaConf.select(usual, f"{group}._target_") != here["_target_"]:
            with open_dict(cfg):
                for name in (k for k in extra if "." not in k):
                    del here[name]


@contextmanager
def search(command: str, overrides: Sequence[str]) -> Iterator[list[str]]:
    """Have Hydra find configs of the package, of plugins and of the user; overrides with names."""
    with (
        staged(command, overrides) as (named, folders),
        hydra.initialize_config_dir(str(config_folder()), version_base="1.3"),
    ):
        inside = GlobalHydra.instance().hydra
        assert inside is not None
        path = inside.config_loader.get_search_path()
        for folder in folders:
            path.prepend("user", f"file://{folder}", anchor="schema")
        # A loader of its own: hydra.searchpath is read too late to find the config to begin with.
        inside.config_loader = ConfigLoaderImpl(path)
        inside.config_loader.repository = KeptConfigs(path, typed={name_of(o) for o in named})
        yield named


def _say(cfg: DictConfig, primary: str) -> None:
    """Say which files of the user's, or parts of them, are not read; remove Hydra's own part."""
    choices = cfg.hydra.runtime.choices.items()
    chosen = [primary, *(f"{g.split('@')[0]}/{c}" for g, c in choices if isinstance(c, str))]
    for line in not_read(chosen):
        print(f"note: {line}", file=sys.stderr)
    OmegaConf.set_readonly(cfg, False)
    with open_dict(cfg):
        del cfg["hydra"]


def _no_such(error: MissingConfigException) -> InputError:
    missing = Path(error.missing_cfg_file or "")
    group = str(missing.parent).strip("/").split("@")[0]
    if group == ".":
        where = ", ".join(str(f) for f in (config_folder(), *user_folders()))
        return InputError(f"there is no config {missing.name}.yaml in {where}")
    plugins.explain(group, missing.name)
    options = groups().get(group) or list(error.options or [])
    return InputError(
        f"{group}={missing.name}: there is no such {group}"
        f"{nearest_name(missing.name, options)}; choose from: {', '.join(options)}"
    )


def declared(command: str) -> set[str]:
    """Top-level options of a command: those of its file and its config groups."""
    plain, groups_named = top_level(command_text(command))
    return {*plain, *groups_named}


def load_option(group: str, chosen: str | Sequence[str]) -> DictConfig:
    """Return the unresolved config of one option of a group, or of several side by side.

    Raises InputError if the group has no such option, naming the nearest.
    """
    given = [chosen] if isinstance(chosen, str) else [str(name) for name in chosen]
    merged = OmegaConf.create({})
    places = several(group, given)
    if places is not None:
        return OmegaConf.create({n: load_option(group, n) for n in places.values()})
    for option in given:
        ours = f"{group}/{option}.yaml"
        if (config_folder() / ours).is_file() and not (user_folders() or plugins.names()):
            found = _shipped_option(group, option)
        else:
            found = _option(group, option)
        check_package(found, group)
        merged.merge_with(found.get(group) or {})
    return merged


def _option(group: str, option: str) -> DictConfig:
    with search(group, [f"{group}={option}"]) as (override,):
        name = override.partition("=")[2]
        plugins.explain(group, name)
        known = groups().get(group, [])
        if name == option and name not in known:
            raise InputError(
                f"{group}={name}: there is no such {group}{nearest_name(name, known)}; "
                f"choose from: {', '.join(known)}"
            )
        return hydra.compose(f"{group}/{name}")


_shipped_option = lru_cache(maxsize=200)(_option)  # not to be written into


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
            change = read_change(quoted(override.lstrip("+"))) if "_target_" in value else None
            if change is not None and change.whole:
                apply_blocks(cfg, [change])
            elif name in groups():
                chosen = OmegaConf.create(f"chosen: {value}").chosen
                cfg[name] = load_option(name, chosen)
            else:
                cfg.merge_with_dotlist([f"{name}={value}"])
            move_optimizer(cfg, ())
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
    if top not in {*here, *groups(), *declared("train")}:
        name, known = top, here
    elif added or name == top or OmegaConf.select(cfg, name, default=_NOTHING) is not _NOTHING:
        return
    else:
        known, hint = [*keys(cfg), *_shipped(cfg, top)], f"; +{name}=... adds it"
        if name in known:
            return
    near = nearest_name(name, dict.fromkeys(known))
    raise InputError(f"overrides: '{name}' is not an option of the run{near}{hint}")


def _shipped(cfg: DictConfig, group: str) -> Iterator[str]:
    """Names that the options of a group have by now, of those that a run was made of."""
    here = cfg.get(group)
    shipped = sorted((config_folder() / group).glob("*.yaml"))
    for path in shipped if isinstance(here, DictConfig) else ():
        option, target = path.stem, OmegaConf.select(OmegaConf.load(path), "_target_")
        # Several lie side by side by their names, as metrics do.
        if option in here or target == here.get("_target_"):
            yield from keys(load_option(group, option), f"{group}.")


def _one_line(
    command: str, error: Exception, overrides: Sequence[str], config_name: str | None
) -> str:
    """Say what Hydra objects to in one line, with the nearest right name."""
    text = str(error)
    unknown = re.search(r"Could not (?:override|append) (?:to )?'([^'@]+)", text)
    if unknown is None:
        return " ".join(text.split())
    found = re.search(r"full_key: (\S+)", str(error.__cause__))
    name = found.group(1) if found else unknown.group(1)
    top = name.split(".")[0]
    if config_name is not None and name in declared(command):
        return f"{config_name}: lacks '{name}'; begin it with defaults: [{command}, _self_]"
    # What the chosen parts have, not those that are there by default.
    chosen = [o for o in overrides if name_of(o) in declared(command)]
    usual = compose(command, chosen if len(chosen) < len(overrides) else [])
    known = dict.fromkeys([*keys(usual), *declared(command)])
    if top not in declared(command):  # nor can it be added
        return f"'{top}' is not an option of {command}{nearest_name(top, known)}"
    said = f"'{name}' is not an option of {command}{nearest_name(name, known)}"
    if name == unknown.group(1):
        # Lightning's trainer and loggers take more than their files list.
        return f"{said}; +{name}=... adds it" if "." in name and top in groups() else said
    return (
        f"{said}; +{name}=... adds it, {unknown.group(1)}={{_target_:...}} takes the place of all "
        "that is there"
    )
