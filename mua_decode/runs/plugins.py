"""What installed packages add by entry points: recordings, models, losses, metrics, analyses.

A plugin was installed by the user and is trusted with what it has registered, no more: a stored
config may name exactly that, and only while the package is installed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from mua_decode.types import InputError

GROUPS = {
    "recordings": "recording",
    "models": "model",
    "losses": "loss",
    "metrics": "metric",
    "analyses": "",
}
# Arguments that come from the data, not from a config.
_GIVEN = {
    "recordings": (),
    "models": ("n_sites", "n_bins", "frame_shape"),
    "losses": ("frame_weights",),
    "metrics": (),
    "analyses": ("run", "folder"),
}
# Options of every question of a plugin: which run, and how it is opened.
ANALYSIS: dict[str, Any] = {
    "run_dir": None,
    "out_dir": None,
    "checkpoint": "scored",
    "device": "auto",
    "overrides": [],
    "trusted": [],
}


@dataclass(frozen=True)
class Plugin:
    """One thing that a package has registered.

    Parameters
    ----------
    kind
        ``recordings``, ``models``, ``losses``, ``metrics`` or ``analyses``.
    name
        What the user types.
    target
        ``package.module.object``.
    package
        Name and version of what was installed.
    """

    kind: str
    name: str
    target: str
    package: str

    def load(self) -> Any:
        """Import it.

        Raises InputError in one line, whatever the package does when it is imported.
        """
        module, _, attributes = self.target.partition(":")
        try:
            return EntryPoint(self.name, f"{module}:{attributes}", "").load()
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"plugin {self.name} ({self.package}): {said}") from error

    @property
    def dotted(self) -> str:
        """The target as ``_target_`` names it."""
        return self.target.replace(":", ".")

    @property
    def own_config(self) -> Path | None:
        """Config that the package brings, ``conf/GROUP/NAME.yaml`` in it; ``None``: none."""
        spec = find_spec(self.target.split(":")[0].split(".")[0])
        for place in (spec.submodule_search_locations or ()) if spec else ():
            path = Path(place) / "conf" / GROUPS[self.kind] / f"{self.name}.yaml"
            if path.is_file():
                return path
        return None

    def config(self) -> str:
        """Config of the plugin: its own, or one made of the arguments of what it registers.

        Raises InputError if it cannot be imported, or lacks what its kind is given.
        """
        path = self.own_config
        asks = self.kind == "analyses"
        if path is not None:
            own = path.read_text(encoding="utf-8")
            missing = {k: v for k, v in ANALYSIS.items() if not re.search(rf"^{k}:", own, re.M)}
            return f"{own}\n{yaml.safe_dump(missing)}" if asks and missing else own
        options: dict[str, Any] = dict(ANALYSIS) if asks else {"_target_": self.dotted}
        given = _GIVEN[self.kind]
        try:
            found = inspect.signature(self.load()).parameters
        except (TypeError, ValueError) as error:
            raise InputError(f"plugin {self.name} ({self.package}): cannot be called") from error
        free = any(p.kind is p.VAR_KEYWORD for p in found.values())
        for lacking in () if free else (n for n in given if n not in found):
            raise InputError(
                f"plugin {self.name} ({self.package}): {self.dotted} does not take {lacking}"
            )
        for name, parameter in found.items():
            if name in given or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            options[name] = _plain(parameter.default)
        return f"# {self.package}\n{yaml.safe_dump(options, sort_keys=False)}"


def installed() -> list[Plugin]:
    """Everything that installed packages have registered, by kind and name."""
    found = [
        Plugin(kind, e.name, e.value.replace(" ", ""), f"{e.dist.name} {e.dist.version}")
        for kind in GROUPS
        for e in entry_points(group=f"mua_decode.{kind}")
        if e.dist is not None
    ]
    return sorted(set(found), key=lambda p: (list(GROUPS).index(p.kind), p.name, p.package))


@lru_cache
def _installed() -> tuple[Plugin, ...]:
    return tuple(installed())


def names() -> Mapping[str, list[str]]:
    """Names of plugins by the config group they are options of."""
    found: dict[str, list[str]] = {}
    for plugin in _installed():
        if GROUPS[plugin.kind]:
            found.setdefault(GROUPS[plugin.kind], []).append(plugin.name)
    return found


def registered(target: str) -> bool:
    """Whether an installed package has registered exactly this ``_target_``."""
    return any(p.dotted == target for p in _installed() if p.kind != "analyses")


def analyses() -> dict[str, Plugin]:
    """Questions that plugins add as commands, by name."""
    return {p.name: p for p in _installed() if p.kind == "analyses"}


def stage(place: Path, text: str, header: Callable[[str, str], str]) -> None:
    """Write the configs of plugins named in a text to a folder that Hydra searches.

    One that is broken is left out: a word of the text may not mean it; see :func:`explain`.
    """
    words = set(re.findall(r"[\w-]+", text))
    for plugin in _installed():
        if plugin.name not in words:
            continue
        group = GROUPS[plugin.kind]
        try:
            content = plugin.config()
            _alone(plugin)
        except InputError:
            continue
        path = place / group / f"{plugin.name}.yaml"
        if not content.startswith("# @package") and group:
            content = header(group, plugin.name) + content
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def explain(group: str, name: str) -> None:
    """Say why a plugin cannot be chosen.

    Raises InputError if there is one by this name in a config group, and it is broken or two
    packages register it.
    """
    for plugin in _installed():
        if (GROUPS[plugin.kind], plugin.name) == (group, name):
            _alone(plugin)
            plugin.config()


def _alone(plugin: Plugin) -> None:
    same = [p.package for p in _installed() if (p.kind, p.name) == (plugin.kind, plugin.name)]
    if len(same) > 1:
        raise InputError(f"plugin {plugin.name}: registered by {' and by '.join(same)}")


def _plain(default: Any) -> Any:
    """Default of an argument as a config can hold it, ``None`` where it cannot."""
    if isinstance(default, list | tuple):
        return [_plain(v) for v in default]
    return default if isinstance(default, bool | int | float | str) else None
