"""What is typed after ``mua-decode``: a command, options ``name=value``, and the flags of Hydra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mua_decode.types import InputError, nearest_name

_SHOWN = ("job", "hydra", "all")
_INFO = ("all", "config", "defaults", "defaults-tree", "searchpath", "plugins")
# Flags with a value; those of the second kind may stand without one.
_VALUED = {
    "--config-dir": "folders",
    "-cd": "folders",
    "--config-path": "folders",
    "-cp": "folders",
    "--config-name": "config_name",
    "-cn": "config_name",
    "--package": "package",
    "-p": "package",
    "--shell-completion": "completion",
    "-sc": "completion",
}
_OPTIONAL = {"--cfg": ("show", _SHOWN), "-c": ("show", _SHOWN), "--info": ("info", _INFO)}
_PLAIN = {
    "-h": "help",
    "--help": "help",
    "-m": "multirun",
    "--multirun": "multirun",
    "--hydra-help": "hydra_help",
    "--version": "version",
    "--debug": "debug",
}
_AS_ALWAYS = ("--run", "-r", "--resolve")  # what happens without them too

HYDRA_HELP = """\
Configs are composed by Hydra 1.3; its habits hold here:

  name=value, +name=value, ~name      set, add, remove an option
  GROUP=NAME, GROUP=FILE.yaml         choose the option of a group; metric=[mse,FILE.yaml] several
  name={_target_:...,...}             a whole block in the place of the one that is there
  --config-dir DIR, -cd               search DIR too; so are MUA_DECODE_CONF (DIR:DIR) and ./conf
  hydra.searchpath=[DIR,pkg://P.conf] the same
  --config-name NAME, -cn             begin with NAME.yaml instead of COMMAND.yaml;
                                      its defaults begin with COMMAND
  --cfg [job|hydra|all], -c           print the config without running it; -p PACKAGE: a part of it
  --info [searchpath|defaults|plugins|config]
  --multirun, -m                      train every combination of name=1,2,3
  -sc install=bash                    completion: eval "$(mua-decode -sc install=bash)"; zsh, fish

Of hydra.* only searchpath has an effect: the folder of a run is run_dir, commands log to the
terminal and their folder, and the working folder stays. mua-decode COMMAND --help lists options."""


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """What was typed, read.

    Parameters
    ----------
    command
        Empty where none was typed.
    overrides
        Options as they were typed.
    leftovers
        What is neither a flag nor ``name=value``.
    show, info, package, completion
        What is asked for instead of running; ``None``: nothing is.
    folders
        To search for configs.
    config_name
        Config to begin with; ``None``: that of the command.
    """

    command: str = ""
    overrides: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    config_name: str | None = None
    show: str | None = None
    info: str | None = None
    package: str | None = None
    completion: str | None = None
    help: bool = False
    multirun: bool = False
    hydra_help: bool = False
    version: bool = False
    debug: bool = False

    @classmethod
    def read(cls, args: Sequence[str]) -> CommandLine:
        """Read it.

        Raises InputError if a flag is not known, or lacks its value.
        """
        found, rest = cls(), list(args)
        while rest:
            arg = rest.pop(0)
            flag, equals, value = arg.partition("=")
            if flag in _VALUED:
                if not equals and not rest:
                    raise InputError(f"{flag}: expected a value")
                found = found._valued(_VALUED[flag], value if equals else rest.pop(0))
            elif flag in _OPTIONAL:
                name, choices = _OPTIONAL[flag]
                if not equals:
                    value = rest.pop(0) if rest and rest[0] in choices else choices[0]
                if value not in choices:
                    raise InputError(f"{flag} {value}: choose from {', '.join(choices)}")
                found = found._with(name, value)
            elif arg in _PLAIN:
                found = found._with(_PLAIN[arg], True)
            elif arg.startswith("-") and arg not in _AS_ALWAYS:
                known = (*_VALUED, *_OPTIONAL, *_PLAIN)
                near = nearest_name(arg, known)
                raise InputError(f"unknown flag {arg}{near}; options are written name=value")
            elif arg not in _AS_ALWAYS:
                found = found._positional(arg)
        return found

    def _with(self, name: str, value: Any) -> CommandLine:
        return replace(self, **{name: value})

    def _valued(self, name: str, value: str) -> CommandLine:
        if name == "folders":
            return replace(self, folders=(*self.folders, value))
        if name == "config_name":
            value = value.removesuffix(".yaml")
        return self._with(name, value)

    def _positional(self, arg: str) -> CommandLine:
        if not self.command:
            return replace(self, command=arg)
        if "=" in arg or arg.startswith("~"):
            return replace(self, overrides=(*self.overrides, arg))
        return replace(self, leftovers=(*self.leftovers, arg))

    def check_leftovers(self, options: Sequence[str]) -> None:
        """Refuse what is not written ``name=value``, with what it may stand for.

        Parameters
        ----------
        options
            Top-level options of the command.

        Raises InputError in one line.
        """
        for text in self.leftovers:
            path = Path(text).expanduser()
            near = nearest_name(text, options)
            hint = f"{near}" if near else ""
            if not path.is_file() and "recording" not in options and "run_dir" in options:
                hint = f"; for a run: run_dir={text}"
            elif path.suffix in (".yaml", ".yml") and "experiment" in options:
                hint = f"; for a config of yours: experiment={text}"
            elif path.exists() and "recording" in options:
                kind = "nwb" if path.suffix == ".nwb" or path.is_dir() else "native"
                hint = f"; for a recording: recording={kind} recording.path={text}"
            raise InputError(f"'{text}' is not written name=value{hint}")
