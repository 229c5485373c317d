"""Progress on the terminal; where output is a file, a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from mua_decode.runs.meanwhile import meanwhile
from mua_decode.types import printable

T = TypeVar("T")


class Screen(Console):
    """A terminal on which names from files are names and nothing else.

    Markup and emoji codes are off, so that brackets are brackets; control characters are written
    out, so that no name moves the cursor, sets a title or clears the screen.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Give a text to be laid out, its control characters written out."""
        return super().render_str(printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Give what is written, its control characters written out."""
        for segment in super().render(renderable, options):
            if segment.control:  # rich's own: styles and cursor of a bar
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


LINE_EVERY_S = 30.0  # between lines that say how far it is, where output is a file
console = Screen(stderr=True, width=None if sys.stderr.isatty() else 100)


def took(what: str, seconds: float, digits: int = 1) -> Text:
    """What was done, and how long it took."""
    return Text.assemble(f"{what} ", (f"{seconds:.{digits}f} s", "dim"))


def bar(*extra: Any) -> Progress:
    """A bar with a name, counts, time and time left, and ``extra`` columns."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        *extra,
        console=console,
        refresh_per_second=4,
    )


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something of unknown length is going on, and how long it took."""
    start = time.perf_counter()
    if console.is_terminal:
        with console.status(Text(what)):
            yield
    else:
        with _now_and_then(what):
            yield
    console.print(took(what, time.perf_counter() - start), highlight=False)


@contextmanager
def _now_and_then(what: str) -> Iterator[None]:
    """Say every now and then that it goes on, where output is a file and nothing turns."""
    start, hush = time.perf_counter(), console.quiet

    def say() -> None:
        if not hush:
            seconds = duration(time.perf_counter() - start)
            console.print(f"{what}: still at it, {seconds}", highlight=False, soft_wrap=True)

    with meanwhile(say, every_s=LINE_EVERY_S):
        yield


def track(
    items: Iterable[T], what: str, total: int, *, name: Callable[[T], str] | None = None
) -> Iterator[T]:
    """Iterate with a progress bar and time left; where output is a file, a line now and then.

    Parameters
    ----------
    name
        What to call the item that is being worked on.
    """
    start = time.perf_counter()
    if console.is_terminal:
        with bar() as shown:
            task = shown.add_task(what, total=total)
            for item in items:
                if name is not None:
                    shown.update(task, description=f"{what}: {printable(name(item))}")
                yield item
                shown.advance(task)
    else:
        said = start
        for number, item in enumerate(items):
            if (now := time.perf_counter()) - said >= LINE_EVERY_S:
                said, left = now, (total - number) * (now - start) / max(1, number)
                at = "" if name is None else f" ({name(item)})"
                line = f"{what}: {number} of {total}{at}, {duration(left)} left"
                console.print(line, highlight=False, soft_wrap=True)
            yield item
    console.print(took(what, time.perf_counter() - start), highlight=False)


def duration(seconds: float) -> str:
    """About how long, in words."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


@contextmanager
def hushed() -> Iterator[None]:
    """Keep the console silent."""
    before = console.quiet
    console.quiet = True
    try:
        yield
    finally:
        console.quiet = before
