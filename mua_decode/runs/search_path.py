"""Where configs are found: those of the package, and behind them folders of the user's.

The package comes first: a folder of the user's adds options by new names and changes none that are
there, so that what a command line means does not depend on where it is typed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

import mua_decode
from mua_decode.runs import plugins
from mua_decode.types import InputError

VARIABLE = "MUA_DECODE_CONF"
_LOCAL = "conf"  # of the working folder
# Options of these groups have no names of their own until several stand side by side.
NAMED_IF_SEVERAL = ("logger",)
_HEADER = re.compile(r"\A# @package (\S+)")
_SEARCH = re.compile(r"\+{0,2}hydra\.searchpath=(.*)", re.DOTALL)
_FILE = re.compile(r"\.ya?ml$")


@lru_cache
def config_folder() -> Path:
    """Folder of the configs: inside the installed package, or conf/ of a checkout."""
    package = Path(mua_decode.__file__).parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise InputError("the configs (conf/) are missing from this installation; install it again")


def user_folders() -> list[Path]:
    """Folders of the user's, the first that has a name wins: those named, then ./conf.

    Raises InputError if ``MUA_DECODE_CONF``, which ``--config-dir`` and ``hydra.searchpath`` go
    into as well, names a folder that is not there.
    """
    found: list[Path] = []
    for text in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise InputError(f"{VARIABLE}: there is no folder {folder}")
        found.append(folder.absolute())
    local = Path(_LOCAL)
    if local.is_dir() and not local.samefile(config_folder()):
        found.append(local.absolute())
    return list(dict.fromkeys(found))


@contextmanager
def searching(folders: Sequence[str | Path], *, option: str) -> Iterator[None]:
    """Search folders before those of the user's that are searched already.

    They stand in the environment meanwhile, so that processes of a sweep search them too. Raises
    InputError naming the ``option`` if one is missing.
    """
    for folder in folders:
        if not Path(folder).expanduser().is_dir():
            raise InputError(f"{option}: there is no folder {folder}")
        if os.pathsep in str(folder):
            raise InputError(f"{option}: {folder} has a '{os.pathsep}' in its name")
    before = os.environ.get(VARIABLE)
    named = [str(Path(f).expanduser().absolute()) for f in folders]
    if named:
        os.environ[VARIABLE] = os.pathsep.join([*named, *filter(None, [before])])
    try:
        yield
    finally:
        if before is not None:
            os.environ[VARIABLE] = before
        elif named:
            os.environ.pop(VARIABLE, None)


def folders_asked(
    overrides: Sequence[str], config_name: str | None = None
) -> tuple[list[Path], list[str]]:
    """Take ``hydra.searchpath=[DIR,pkg://PACKAGE.conf]`` out of overrides: folders, and the rest.

    Those that the config to begin with names come after. Raises InputError if a package is not
    installed.
    """
    folders: list[Path] = []
    rest: list[str] = []
    for override in overrides:
        asked = _SEARCH.fullmatch(override)
        if asked is None:
            rest.append(override)
            continue
        entries = [e.strip(" '\"") for e in asked.group(1).strip("[] ").split(",")]
        folders += [_folder(entry) for entry in entries if entry]
    for folder in user_folders() if config_name else ():
        path = folder / f"{config_name}.yaml"
        own = _of_hydra(path).get("searchpath") if path.is_file() else None
        for entry in own if isinstance(own, list) else ():
            named = _folder(str(entry))  # beside the file, where it is not absolute
            folders.append(named if named.is_dir() else folder / named)
    return folders, rest


def _of_hydra(path: Path) -> dict[str, Any]:
    """What a config says of Hydra itself."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return {}  # Hydra says what is wrong with it
    inside = found.get("hydra") if isinstance(found, dict) else None
    return {str(k): v for k, v in inside.items()} if isinstance(inside, dict) else {}


def _folder(entry: str) -> Path:
    scheme, separator, place = entry.partition("://")
    if not separator:
        return Path(entry)
    if scheme == "file":
        return Path(unquote(place))
    if scheme != "pkg":
        raise InputError(f"hydra.searchpath: {entry}: expected a folder, file:// or pkg://")
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"hydra.searchpath: there is no package {place}")
    return Path(next(iter(spec.submodule_search_locations)))


def groups() -> dict[str, list[str]]:
    """Config groups and the options of each: the package's, plugins', and the user's."""
    found: dict[str, set[str]] = {}
    for folder in (config_folder(), *user_folders()):
        for group in folder.iterdir() if folder == config_folder() else folder.glob("*"):
            if group.is_dir() and (names := {p.stem for p in group.glob("*.yaml")}):
                found.setdefault(group.name, set()).update(names)
    for of_plugins, added in plugins.names().items():
        found.setdefault(of_plugins, set()).update(added)
    return {group: sorted(found[group]) for group in sorted(found)}


def option_text(group: str, name: str) -> str:
    """Text of an option's file, its comments with it; empty where it has none."""
    files = (folder / group / f"{name}.yaml" for folder in (config_folder(), *user_folders()))
    found = next((file for file in files if file.is_file()), None)
    return found.read_text(encoding="utf-8").rstrip() if found else ""


@lru_cache
def package_of(group: str) -> str | None:
    """Where a group's options say that they belong: ``_global_``, ``metric.NAME``, or nothing."""
    for path in sorted((config_folder() / group).glob("*.yaml")):
        if header := _HEADER.match(path.read_text(encoding="utf-8")):
            package = header.group(1)
            return "{group}.{name}" if package.startswith(f"{group}.") else package
    return None


def header(group: str, name: str) -> str:
    """First line that an option of a group needs, empty where it needs none."""
    package = package_of(group)
    return "" if package is None else f"# @package {package.format(group=group, name=name)}\n"


@contextmanager
def staged(command: str, overrides: Sequence[str]) -> Iterator[tuple[list[str], list[Path]]]:
    """Make options of files that are named by their path, and of plugins that are named.

    ``experiment=/abs/mine.yaml`` becomes ``experiment=mine``. Gives the overrides with names in
    place of paths, and the folders to search behind the package's. Raises InputError if a file is
    missing.
    """
    with tempfile.TemporaryDirectory(prefix="mua-decode-conf-") as place:
        stage = Path(place)
        plain = [o for override in overrides for o in _apart(_named(override, stage))]
        plugins.stage(stage, f"{command} {' '.join(plain)} {_user_texts()}", header)
        # An empty folder is none that Hydra would search.
        yield plain, [*([stage] if any(stage.iterdir()) else []), *user_folders()]


def _named(override: str, stage: Path) -> str:
    """Put names in place of the paths of an override's value."""
    key, equals, value = override.partition("=")
    group = key.lstrip("+").split("@")[0]
    if not equals or group not in groups() or not re.search(r"\.ya?ml\b", value):
        return override
    listed = value.startswith("[") and value.endswith("]")
    parts = value[1:-1].split(",") if listed else [value]
    names = [_stage_file(p.strip(" '\""), group, stage) for p in parts]
    return f"{key}=[{','.join(names)}]" if listed else f"{key}={names[0]}"


def several(group: str, chosen: Sequence[str]) -> dict[str, str] | None:
    """Places of the options of a group that stand side by side by their names, ``logger.wandb``.

    ``None`` where they have names of their own, or there are not several.
    """
    names = [name for name in dict.fromkeys(chosen) if name != "csv"]
    if group not in NAMED_IF_SEVERAL or len(names) < 2:
        return None
    return {f"{group}.{name}": name for name in names}


def _apart(override: str) -> list[str]:
    """``logger=[wandb,tensorboard]``, for Hydra, each in a place of its own; others as they are."""
    group, _, value = override.partition("=")
    if group not in NAMED_IF_SEVERAL or not (value.startswith("[") and value.endswith("]")):
        return [override]
    names = [name.strip(" '\"") for name in value[1:-1].split(",")]
    places = several(group, names)
    if places is None:
        return [f"{group}={next((n for n in names if n not in ('', 'csv')), 'csv')}"]
    return [f"{group}=csv", *(f"+{group}@{place}={name}" for place, name in places.items())]


def _stage_file(text: str, group: str, stage: Path) -> str:
    if not _FILE.search(text):
        return text
    path = Path(text).expanduser()
    if not path.is_file():
        raise InputError(f"{group}={text}: there is no such file")
    name = re.sub(r"\W", "_", path.stem)
    while name in groups().get(group, []) or (stage / group / f"{name}.yaml").exists():
        name += "_own"
    content = path.read_text(encoding="utf-8")
    if not _HEADER.match(content):
        content = header(group, name) + content
    (stage / group).mkdir(exist_ok=True)
    (stage / group / f"{name}.yaml").write_text(content, encoding="utf-8")
    return name


def _user_texts() -> str:
    """What stands in the user's configs; a plugin may be named there."""
    if not plugins.names():
        return ""
    files = [p for folder in user_folders() for p in sorted(folder.rglob("*.yaml"))[:1000]]
    return " ".join(p.read_text(encoding="utf-8", errors="replace") for p in files)


def not_read(chosen: Sequence[str]) -> list[str]:
    """Say which files of the user's are not read, or what in them has no effect.

    Parameters
    ----------
    chosen
        Configs that were asked for, ``model/video_unet``.
    """
    found = []
    for folder in user_folders():
        for name in chosen:
            own, ours = folder / f"{name}.yaml", config_folder() / f"{name}.yaml"
            if not own.is_file():
                continue
            if ours.is_file() and own.read_bytes() != ours.read_bytes():
                found.append(f"{own} is not read: mua_decode has a {name} itself; rename yours")
            elif not ours.is_file() and (other := sorted(set(_of_hydra(own)) - {"searchpath"})):
                found.append(f"{own}: hydra.{other[0]} has no effect here")
    return found


def command_text(command: str) -> str:
    """Config of a command as it is written, the package's or that of a plugin's question.

    Raises InputError if the plugin is broken.
    """
    path = config_folder() / f"{command}.yaml"
    plugin = plugins.analyses().get(command)
    if plugin is not None and not path.is_file():
        return plugin.config()
    return path.read_text(encoding="utf-8")
