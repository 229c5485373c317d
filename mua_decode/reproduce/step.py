"""The steps of a reproduction: listed first, each done once, failures named at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mua_decode.files import write_text
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.progress import console
from mua_decode.types import InputError

_DONE = "done.json"


class StepNotApplicableError(InputError):
    """The recording cannot answer this question; the message says why."""


@dataclass(frozen=True, eq=False)
class Step:
    """One part of a reproduction.

    Parameters
    ----------
    name
        Name of the step, and of its folder within the protocol's.
    protocol
        ``published`` or ``rigorous``; ``""`` for what is not a matter of protocol.
    what
        What it asks, in words.
    weight
        Its share of the time, in any unit; for the estimate of the time left.
    work
        Does it, writing into the folder it is given.
    fingerprint
        Everything its result depends on; a step done with another is done again.
    needs
        Steps of the same protocol that must have been done.
    """

    name: str
    protocol: str
    what: str
    weight: float
    work: Callable[[Path], None]
    fingerprint: Fingerprint = field(default_factory=lambda: Fingerprint({}))
    needs: Sequence[str] = ()

    @property
    def key(self) -> str:
        """Unique name: ``rigorous/ablation``."""
        return f"{self.protocol}/{self.name}" if self.protocol else self.name


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the steps.

    Parameters
    ----------
    done
        Keys of the steps that are done, now or before, and the seconds each took.
    failed
        Key to the reason, one line.
    not_applicable
        Key to the reason.
    """

    done: Mapping[str, float]
    failed: Mapping[str, str]
    not_applicable: Mapping[str, str]


def print_plan(steps: Sequence[Step], out: Path, note: str = "") -> None:
    """Say what will be done before anything is; ``note`` is what is reduced."""
    table = Table(
        title="plan" + (f" ({note})" if note else ""), box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in ("step", "protocol", "what it asks", ""):
        table.add_column(column)
    for step in steps:
        state = "done before" if seconds_taken(out, step) is not None else ""
        table.add_row(step.name, step.protocol or "both", step.what, state)
    console.print(table)


def carry_out(steps: Sequence[Step], out: Path) -> Outcome:
    """Do every step that is not done, in order; a step that fails does not stop the others.

    Each finished step leaves ``done.json`` in its folder, so the same call goes on after Ctrl-C.
    """
    done: dict[str, float] = {}
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    clock = _Clock(steps)
    for number, step in enumerate(steps):
        seconds = seconds_taken(out, step)
        if seconds is not None:
            done[step.key] = seconds
            clock.skip(step)
            continue
        title = Text.assemble((step.key, "bold"), f"  {number + 1} of {len(steps)}{clock.left()}")
        console.rule(title)
        missing = [n for n in step.needs if _key(step, n) not in done]
        if missing:
            failed[step.key] = f"needs {missing[0]}, which is not done"
            clock.skip(step)
            continue
        folder = out / step.key
        folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        try:
            step.work(folder)
        except StepNotApplicableError as reason:
            skipped[step.key] = str(reason)
            console.print(f"not applicable to this recording: {reason}", soft_wrap=True)
            clock.skip(step)
            continue
        except Exception as error:
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            failed[step.key] = kind + " ".join(str(error).split())[:400]
            console.print(f"failed: {failed[step.key]}", soft_wrap=True, highlight=False)
            clock.skip(step)
            continue
        took = time.perf_counter() - start
        done[step.key] = took
        clock.finish(step, took)
        _mark(folder, step, took)
    return Outcome(done, failed, skipped)


def _key(step: Step, name: str) -> str:
    return f"{step.protocol}/{name}" if step.protocol else name


def seconds_taken(out: Path, step: Step) -> float | None:
    """Seconds a step took when it was done with the same settings, None if it was not."""
    try:
        mark = json.loads((out / step.key / _DONE).read_text(encoding="utf-8"))
        return float(mark["seconds"]) if mark["identity"] == step.fingerprint.digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _mark(folder: Path, step: Step, seconds: float) -> None:
    text = json.dumps({"identity": step.fingerprint.digest, "seconds": round(seconds, 2)}, indent=2)
    write_text(folder / _DONE, text + "\n")


class _Clock:
    """Time left for the whole, from the weights of what is done and what is not."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._todo = sum(step.weight for step in steps)
        self._done = 0.0
        self._spent = 0.0

    def skip(self, step: Step) -> None:
        self._todo -= step.weight

    def finish(self, step: Step, seconds: float) -> None:
        self._todo -= step.weight
        self._done += step.weight
        self._spent += seconds

    def left(self) -> str:
        if self._done <= 0:
            return ""
        seconds = self._todo * self._spent / self._done
        return f", about {max(1, round(seconds / 60))} min left in all"
