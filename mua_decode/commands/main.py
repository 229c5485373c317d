"""``mua-decode COMMAND overrides...``: dispatch, help and one-line errors."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Any, NoReturn

from mua_decode import __version__
from mua_decode.limits import check_room, memory_refused, no_memory
from mua_decode.runs.command_line import HYDRA_HELP, CommandLine
from mua_decode.runs.ending import (
    LAST_WORDS,
    end_on_sigterm,
    end_with_parent,
    loading,
    terminated,
)
from mua_decode.runs.lock import locks
from mua_decode.runs.new_folders import new_folders
from mua_decode.runs.plugins import analyses
from mua_decode.runs.quiet import quiet
from mua_decode.types import InputError, masked, nearest_name, printable

# Commands that are no analysis lie beside this file, those with a room of their own in that room,
# every other in mua_decode/analyses/NAME.
_HERE = (
    *("simulate", "convert", "inspect", "train", "adopt", "evaluate", "decode", "export"),
    *("report", "plugins"),
)
_ROOM = 256 << 20  # bytes that every command takes once it is loaded
_OWN_ROOM = ("reproduce", "leaderboard", "sweep", "benchmark")

COMMANDS = {
    "reproduce": "every result of the paper beside its rigorous twin, in one report",
    "simulate": "render the task's videos, simulate sessions and write a recording file",
    "convert": "read a recording of any kind and write it as one HDF5 file, or as NWB",
    "inspect": "show sessions, sites, trials, missing data and problems of a recording",
    "train": "train a decoder, then score it beside its floors on the test trials",
    "adopt": "make a run of the authors' own weights, on the sample they were trained on",
    "evaluate": "score a trained run again, or on another part of the split",
    "decode": "decode the trials of a new recording with a trained run",
    "report": "make the page of a run, or an index of all runs of a folder",
    "export": "write the network of a run as ONNX or as an exported PyTorch program",
    "ablate": "take regions away from a trained decoder and see what the video loses",
    "encode": "train the encoding model (video in, activity out) on a run and score it",
    "sweep": "search hyper-parameters by validation loss, on several workers or machines",
    "crossval": "train a run again on every fold of its trials",
    "repeat": "train a run again from other seeds; intervals over seeds and conditions",
    "compare": "train other models under the settings of a run and compare them with it",
    "leaderboard": "every method on every recording, videos shown and never shown, in one table",
    "isolate": "train on one region alone, and on groups of regions",
    "generalise": "hold out whole conditions, and thin sites, trials and sessions",
    "film": "score a run along a continuous film: lag, blocks of time, null, identification",
    "axis": "axis tuning, images read back and imagery on one recording",
    "likelihood": "identify and make videos never shown through a model of each site",
    "plugins": "list what installed packages add: recordings, models, losses, metrics, analyses",
    "benchmark": "time the plain writing of the network and ours side by side",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exit code 2 and one line for errors the user can mend."""
    try:
        line = CommandLine.read(sys.argv[1:] if argv is None else argv)
    except InputError as error:
        _fail(error, debug=False, code=2)
    if line.version:
        print(f"mua-decode {__version__}")
        return
    if line.hydra_help:
        print(HYDRA_HELP)
        return
    if line.command == "help" and line.leftovers:
        line = replace(line, command=line.leftovers[0], leftovers=(), help=True)
    if line.command in ("", "help") and line.completion is None:
        print(_overview())
        return
    for stream in (sys.stdout, sys.stderr):
        # Where the terminal has no sign for a letter, a mark stands for it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    end_on_sigterm()
    end_with_parent()
    # Read when torch is loaded: on a shared machine, threads that wait should sleep, not spin.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    try:
        with new_folders(), locks():
            _run(line)
    except KeyboardInterrupt:
        number = signal.SIGTERM if terminated() else signal.SIGINT
        print(LAST_WORDS[number], file=sys.stderr)
        raise SystemExit(128 + number) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (InputError, OSError) as error:
        _fail(error, debug=line.debug, code=2)
    except Exception as error:
        _fail(error, debug=line.debug, code=2 if memory_refused(error) else 1)


def _run(line: CommandLine) -> None:
    from mua_decode.runs.search_path import folders_asked, searching

    named, overrides = folders_asked(line.overrides)
    with searching(line.folders, option="--config-dir"):
        of_primary, _ = folders_asked((), line.config_name)
        with searching([*named, *of_primary], option="hydra.searchpath"):
            _in_search_path(replace(line, overrides=tuple(overrides)))


def _in_search_path(line: CommandLine) -> None:
    if line.completion is not None:
        from mua_decode.runs.shell import completion

        print(completion(line.completion, [*COMMANDS, *analyses()]))
        return
    command, overrides = line.command, line.overrides
    if command not in analyses():
        home(command)  # refuses what is no command
    if line.help:
        print(_command_help(command, overrides))
        return
    with loading():
        from mua_decode.runs.config import compose, declared
        from mua_decode.runs.instantiate import check_targets
        from mua_decode.runs.typed import carried_out

    if command == "report":  # takes a folder by its name alone
        overrides = (*overrides, *(f"run_dir={text}" for text in line.leftovers))
        line = replace(line, overrides=overrides, leftovers=())
    line.check_leftovers(sorted(declared(command)))
    if line.info in ("all", "searchpath", "defaults", "defaults-tree", "plugins"):
        from mua_decode.runs.shell import information

        print(information(line.info, command, overrides, line.config_name or command))
        return
    if line.multirun:
        _multirun(line)
        return
    with loading():
        cfg = compose(command, overrides, config_name=line.config_name)
    if line.show is not None or line.info is not None:
        print(_shown(cfg, line))
        return
    with loading():
        check_targets(cfg)
        run = entry(command)  # takes seconds, so that what is typed wrongly is said before
    quiet()
    # Where memory ends inside a compiled library that does not look, the process would crash.
    check_room(_ROOM, command)
    with carried_out(command, overrides, cfg):
        found = run(cfg)
    if failed(found):
        _in_part("not all of it finished")


def _shown(cfg: Any, line: CommandLine) -> str:
    """The config, or the part of it that was asked for."""
    from omegaconf import OmegaConf

    if line.show == "hydra":
        return f"# no file of Hydra's own is written, and no folder changed\n{HYDRA_HELP}"
    part = cfg if line.package is None else OmegaConf.select(cfg, line.package)
    if part is None:
        raise InputError(f"--package {line.package}: the config has no such part")
    return OmegaConf.to_yaml(part) if OmegaConf.is_config(part) else f"{part}"


def failed(found: object) -> bool:
    """Whether the numbers that a command returns name a part that failed."""
    return isinstance(found, Mapping) and any(
        value for key, value in found.items() if str(key).split("/")[0] == "failed"
    )


def _in_part(what: str) -> NoReturn:
    print(f"mua-decode: {what} (see above); the rest is written", file=sys.stderr)
    raise SystemExit(1)


def entry(command: str) -> Callable[[Any], Any]:
    """What runs a command, given its config; raises InputError if there is no such command."""
    plugin = analyses().get(command) if command not in COMMANDS else None
    if plugin is None:
        found: Callable[[Any], Any] = importlib.import_module(home(command)).run
        return found
    from mua_decode.commands.plugged import ask

    return partial(ask, plugin)


def home(command: str) -> str:
    """Module of a command, whose ``run`` takes the config; ``InputError`` if there is no such."""
    if command not in COMMANDS:
        raise InputError(
            f"there is no command '{command}'{nearest_name(command, COMMANDS)}; "
            f"choose from: {', '.join(COMMANDS)}"
        )
    if command in _HERE:
        return f"mua_decode.commands.{command}"
    room = command if command in _OWN_ROOM else f"analyses.{command}"
    return f"mua_decode.{room}.command"


def _multirun(line: CommandLine) -> None:
    if line.command != "train" or line.show is not None:
        raise InputError("--multirun belongs to train; sweep searches, repeat takes other seeds")
    with loading():
        from mua_decode.sweep.multirun import multirun
    quiet()
    check_room(_ROOM, line.command)
    bad = (multirun(line.overrides, config_name=line.config_name)["failed"] != "").sum()
    if bad:
        _in_part(f"{bad} runs failed")


def _fail(error: Exception, *, debug: bool, code: int) -> NoReturn:
    if debug:
        traceback.print_exc()
    else:
        # Some errors of torch hold the traceback of what caused them.
        said = " ".join(str(error).partition("Traceback (most recent call last)")[0].split())
        most = 2000 if isinstance(error, InputError) else 600  # lists of names are ours
        line = printable(masked(said)[:most]) or type(error).__name__
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        if not isinstance(error, InputError) and memory_refused(error):
            kind = f"{no_memory(error)}: "
        hint = "" if code == 2 else " (run again with --debug for the traceback)"
        print(f"mua-decode: {kind}{line}{hint}", file=sys.stderr)
    raise SystemExit(code)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "usage: mua-decode COMMAND [name=value ...] [--debug]",
            "",
            "Decode the video a monkey is watching from multi-unit activity.",
            "",
            "commands:",
            *(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()),
            *(f"  {name:<{width}}  plugin, {p.package}" for name, p in analyses().items()),
            "",
            "mua-decode COMMAND --help  explains a command and lists its options",
            "mua-decode COMMAND --cfg   prints its full configuration without running it",
            "mua-decode --hydra-help      says which habits of Hydra hold",
            "mua-decode train --multirun seed=0,1,2 model.width=8,16   every combination",
        ]
    )


def _command_help(command: str, overrides: Sequence[str]) -> str:
    from mua_decode.runs.config import declared
    from mua_decode.runs.search_path import command_text, groups, option_text

    plugin = analyses().get(command) if command not in COMMANDS else None
    about = _docstring(home(command)) if plugin is None else inspect.getdoc(plugin.load())
    own = {name: options for name, options in groups().items() if name in declared(command)}
    typed = [
        (group, name) for o in overrides for group, _, name in [o.partition("=")] if group in own
    ]
    asked = [(f"{group}={name}", option_text(group, name)) for group, name in typed]
    where = f"conf/{command}.yaml" if plugin is None else plugin.package
    first = COMMANDS[command] if plugin is None else f"of the plugin {plugin.package}"
    return "\n".join(
        [
            f"mua-decode {command}: {first}",
            "",
            (about or "").strip(),
            "",
            f"options ({where}):",
            *(f"  {line}" for line in command_text(command).splitlines()),
            *(["", "config groups:"] if own else []),
            *(f"  {name}={'|'.join(options)}" for name, options in own.items()),
            *(
                line
                for name, text in asked
                if text
                for line in ("", f"{name}:", indent(text, "  "))
            ),
            *(["", f"mua-decode {command} GROUP=NAME --help  lists those of one"] if own else []),
        ]
    )


def _docstring(module: str) -> str | None:
    """What a command says of itself, read without importing what it needs to run."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    runs = (node for node in body if isinstance(node, ast.FunctionDef) and node.name == "run")
    return ast.get_docstring(next(runs))
