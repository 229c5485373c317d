"""What a shell completes, and what ``--info`` tells of a config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from mua_decode.runs import plugins
from mua_decode.runs.config import search
from mua_decode.runs.search_path import config_folder, user_folders
from mua_decode.types import InputError

_BASH = """\
_mua_decode() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_LINE="${COMP_LINE:0:COMP_POINT}" mua-decode -sc query=bash 2>/dev/null))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _mua_decode mua-decode"""
_INSTALL = {
    "bash": _BASH,
    "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}",
    "fish": "complete -c mua-decode -f -a "
    "'(COMP_LINE=(commandline -cp) mua-decode -sc query=fish 2>/dev/null)'",
}
_UNINSTALL = {
    "bash": "complete -r mua-decode; unset -f _mua_decode",
    "zsh": "compdef -d mua-decode; unset -f _mua_decode",
    "fish": "complete -c mua-decode -e",
}


def completion(asked: str, commands: Iterable[str]) -> str:
    """What ``-sc`` prints: a script to evaluate, or what the line so far may go on with.

    Parameters
    ----------
    asked
        ``install=bash``, ``uninstall=zsh``, ``query=fish``; the line stands in ``COMP_LINE``.
    commands
        Names that may stand first.

    Raises InputError if it is none of these.
    """
    what, _, shell = asked.partition("=")
    if shell not in _INSTALL or what not in ("install", "uninstall", "query"):
        raise InputError(
            f"-sc {asked}: expected install, uninstall or query of {', '.join(_INSTALL)}, "
            "such as install=bash"
        )
    if what != "query":
        return (_INSTALL if what == "install" else _UNINSTALL)[shell]
    return "\n".join(_go_on(os.environ.get("COMP_LINE", ""), list(commands)))


def _go_on(line: str, commands: Sequence[str]) -> list[str]:
    words = line.split()[1:]
    if not words or (len(words) == 1 and not line.endswith(" ")):
        begun = words[0] if words else ""
        return [f"{c} " for c in commands if c.startswith(begun)]
    command = words[0]
    if command not in commands:
        return []
    rest = line.split(None, 2)[2] if len(line.split(None, 2)) > 2 else ""
    with search(_every_plugin(command), ()):
        found: list[str] = BashCompletion(GlobalHydra.instance().config_loader())._query(
            config_name=command, line=rest
        )
    return [word for word in found if not word.startswith("hydra")]


def _every_plugin(command: str) -> str:
    return " ".join([command, *(n for names in plugins.names().values() for n in names)])


def information(kind: str, command: str, overrides: Sequence[str], primary: str) -> str:
    """What ``--info`` prints of ``searchpath``, ``defaults`` or ``plugins``, or of ``all``."""
    lines: list[str] = []
    if kind in ("all", "searchpath"):
        lines += ["configs are searched in", f"  {config_folder()} (mua_decode)"]
        lines += [f"  {folder}" for folder in user_folders()] + [""]
    if kind in ("all", "defaults", "defaults-tree"):
        lines += ["composed of, what comes later first"]
        with search(command, overrides) as named:
            listed = (
                GlobalHydra.instance()
                .config_loader()
                .compute_defaults_list(primary, named, RunMode.RUN)
                .defaults
            )
        own = [d for d in listed if not str(d.config_path).startswith("hydra")]
        lines += [f"  {d.config_path} -> {d.package or 'top'}" for d in reversed(own)] + [""]
    if kind in ("all", "plugins"):
        lines += list_plugins()
    return "\n".join(lines).rstrip()


def list_plugins(kind: str | None = None) -> list[str]:
    """One line per plugin: kind, name, what it is, and from where; why it is broken, if it is."""
    lines = []
    for plugin in plugins.installed():
        if kind not in (None, plugin.kind):
            continue
        try:
            plugin.config()
            state = ""
        except InputError as error:
            state = f"  BROKEN: {error}"
        lines.append(
            f"{plugin.kind:<10}  {plugin.name:<20}  {plugin.dotted}  ({plugin.package}){state}"
        )
    return lines or ["no plugin is installed; docs/extend.md says how to make one"]
