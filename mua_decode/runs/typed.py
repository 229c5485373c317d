"""The command that made a folder, as it was typed, kept beside what it made."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from mua_decode import __version__
from mua_decode.files import write_text
from mua_decode.runs.plan import read_plan
from mua_decode.types import masked, printable

_FILE = "command.json"
_LARGEST = 1 << 16
_NAMES = set("abcdefghijklmnopqrstuvwxyz_")
_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


@contextmanager
def carried_out(command: str, options: Sequence[str], cfg: Any) -> Iterator[None]:
    """Remember what is being carried out, and draw as its options say, while the context lasts.

    Raises InputError if an option of ``figures`` is wrong.
    """
    token = _typed.set((command, *options))
    try:
        with _as_asked(cfg):
            yield
    finally:
        _typed.reset(token)


def _as_asked(cfg: Any) -> AbstractContextManager[None]:
    asked = cfg.get("figures")
    if not asked:
        return nullcontext()
    from mua_decode.figures.style import FigureStyle, styled  # takes a second; not all draw

    return styled(read_plan(FigureStyle, asked))


def typed_options() -> tuple[str, ...]:
    """Options of the command that is being carried out, as they were typed, without passwords."""
    return tuple(masked(word) for word in _typed.get()[1:])


def keep_typed(folder: Path, *, source: Path | None = None) -> None:
    """Write ``command.json``: the command, its options without passwords, and the run it asks.

    Nothing is written where no command is being carried out.
    """
    words = [masked(word) for word in _typed.get()]
    if words:
        about = {"command": words, "version": __version__, "cwd": str(Path.cwd())}
        about |= {} if source is None else {"source": str(source.resolve())}
        write_text(folder / _FILE, json.dumps(about, indent=2) + "\n")


def typed_line(folder: Path) -> str:
    """The line that a shell takes, of a folder that may come from elsewhere; else empty.

    Every word is quoted, so that the line is one command and no more.
    """
    path = folder / _FILE
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        words = json.loads(path.read_text(encoding="utf-8"))["command"]
        name, *options = (str(word) for word in words)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not name or not set(name) <= _NAMES:
        return ""
    return printable(shlex.join(["mua-decode", name, *options]))
