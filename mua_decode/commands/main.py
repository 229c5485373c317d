"""``mua-decode COMMAND overrides...``: dispatch, help and one-line errors."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn

from mua_decode import __version__
from mua_decode.runs.ending import CODE, end_on_sigterm, end_with_parent, terminated
from mua_decode.runs.lock import locks
from mua_decode.runs.quiet import quiet
from mua_decode.types import InputError, masked, nearest_name, printable

# Commands that are no analysis lie beside this file, those with a room of their own in that room,
# every other in mua_decode/analyses/NAME.
_HERE = (
    "simulate",
    "convert",
    "inspect",
    "train",
    "adopt",
    "evaluate",
    "decode",
    "export",
    "report",
)
_OWN_ROOM = ("reproduce", "sweep", "benchmark")

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
    "isolate": "train on one region alone, and on groups of regions",
    "generalise": "hold out whole conditions, and thin sites, trials and sessions",
    "axis": "axis tuning, images read back and imagery on one recording",
    "benchmark": "time the plain writing of the network and ours side by side",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exit code 2 and one line for errors the user can mend."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [a for a in args if a != "--debug"]
    if not args or args[0] in ("-h", "--help", "help"):
        print(_overview())
        return
    if args[0] == "--version":
        print(f"mua-decode {__version__}")
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
        with locks():
            _run(args[0], args[1:])
    except KeyboardInterrupt:
        told = terminated()
        print("terminated (SIGTERM)" if told else "\ninterrupted", file=sys.stderr)
        raise SystemExit(CODE if told else 130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (InputError, OSError, MemoryError) as error:
        _fail(error, debug, 2)
    except Exception as error:
        _fail(error, debug, 1)


def _run(command: str, args: list[str]) -> None:
    where = home(command)
    if any(a in ("-h", "--help") for a in args):
        print(_command_help(command))
        return
    several = {"-m", "--multirun"}.intersection(args)
    args = [a for a in args if a not in several]
    if command == "report":  # takes a folder by its name alone
        args = [f"run_dir={a}" if "=" not in a and not a.startswith("-") else a for a in args]
    flags = [a for a in args if a.startswith("-") and a != "--cfg"]
    if flags:
        raise InputError(f"unknown flag {flags[0]}; options are written name=value")
    if several:
        _multirun(command, args)
        return
    from omegaconf import OmegaConf

    from mua_decode.runs.config import compose

    cfg = compose(command, [a for a in args if a != "--cfg"])
    if "--cfg" in args:
        print(OmegaConf.to_yaml(cfg))
        return
    from mua_decode.runs.typed import carried_out

    module = importlib.import_module(where)
    quiet()
    with carried_out(command, args, cfg):
        found = module.run(cfg)
    if failed(found):
        _in_part("not all of it finished")


def failed(found: object) -> bool:
    """Whether the numbers that a command returns name a part that failed."""
    return isinstance(found, Mapping) and any(
        value for key, value in found.items() if str(key).split("/")[0] == "failed"
    )


def _in_part(what: str) -> NoReturn:
    print(f"mua-decode: {what} (see above); the rest is written", file=sys.stderr)
    raise SystemExit(1)


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


def _multirun(command: str, args: list[str]) -> None:
    if command != "train" or "--cfg" in args:
        raise InputError("--multirun belongs to train; sweep searches, repeat takes other seeds")
    from mua_decode.sweep.multirun import multirun

    quiet()
    bad = (multirun(args)["failed"] != "").sum()
    if bad:
        _in_part(f"{bad} runs failed")


def _fail(error: Exception, debug: bool, code: int) -> None:
    if debug:
        traceback.print_exc()
    else:
        line = printable(masked(" ".join(str(error).split()))[:600]) or type(error).__name__
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
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
            "",
            "mua-decode COMMAND --help  explains a command and lists its options",
            "mua-decode COMMAND --cfg   prints its full configuration without running it",
            "mua-decode train --multirun seed=0,1,2 model.width=8,16   every combination",
        ]
    )


def _command_help(command: str) -> str:
    from mua_decode.runs.config import config_folder, groups

    module = importlib.import_module(home(command))
    text = (config_folder() / f"{command}.yaml").read_text(encoding="utf-8")
    return "\n".join(
        [
            f"mua-decode {command}: {COMMANDS[command]}",
            "",
            (module.run.__doc__ or "").strip(),
            "",
            f"options (conf/{command}.yaml):",
            *(f"  {line}" for line in text.splitlines()),
            "",
            "config groups:",
            *(f"  {name}={'|'.join(options)}" for name, options in groups().items()),
        ]
    )
