"""How figures are written for a paper: a vector file beside the PNG, its width and its letters."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from textwrap import fill

from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, MaxNLocator

from mua_decode.types import InputError, nearest_name

FORMATS = ("png", "pdf", "svg")
_MM = 25.4  # of an inch
TALLEST_MM = 240.0  # of a figure whose width is given: what a page has room for
_STEPS, _SMALLER, _LEAST_INCH = 5, 0.8, 0.2  # letters, where panels have less room than this
_USUAL_PT = 10.0  # letters of matplotlib, which sizes in figures are relative to


@dataclass(frozen=True, kw_only=True)
class FigureStyle:
    """Options of the group ``figures``; see ``conf/figures/default.yaml``.

    Raises InputError if there is no such format or font, or a size is not positive.
    """

    format: str = "png"
    width_mm: float | None = None
    font: str | None = None
    font_size: float | None = None
    dpi: int = 130
    draw: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"figures.format={self.format}: choose from {', '.join(FORMATS)}")
        for name in ("width_mm", "font_size", "dpi"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 10_000:
                raise InputError(f"figures.{name}: expected a number > 0, found {value}")
        known = sorted({f.name for f in font_manager.fontManager.ttflist})
        if self.font is not None and self.font not in known:
            near, some = nearest_name(self.font, known), ", ".join(known[:5])
            raise InputError(
                f"figures.font: there is no font '{self.font}' on this machine{near}; there are "
                f"{len(known)}, such as {some}"
            )

    @property
    def room_inch(self) -> float | None:
        """Width on paper in inches, in which letters of 10 points are as wide as those asked for.

        ``None``: a figure is as wide as it needs.
        """
        if self.width_mm is None:
            return None
        return self.width_mm / _MM * _USUAL_PT / (self.font_size or _USUAL_PT)

    def apply(self, figure: Figure) -> None:
        """Give a figure its width, height in proportion, and its letters their size.

        No figure of a given width is taller than a page; letters get smaller where panels would
        have no room beside them.
        """
        if self.font_size is not None:
            for text in figure.findobj(Text):
                if isinstance(text, Text):
                    text.set_fontsize(float(text.get_fontsize()) * self.font_size / _USUAL_PT)
        if self.width_mm is not None:
            width, height = figure.get_size_inches()
            inches = self.width_mm / _MM
            figure.set_size_inches(inches, min(height * inches / width, TALLEST_MM / _MM))
        if self.font_size is not None or self.width_mm is not None:
            _fit_with_room(figure)


def _fit_with_room(figure: Figure) -> None:
    """Fit names, with letters a step smaller each time the layout leaves a panel no room.

    Raises what the layout raises where there is none in the smallest letters either.
    """
    for step in range(_STEPS + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # a layout that was not applied
                _fit(figure)
            if all(map(_has_room, figure.axes)):
                return
        except Exception:  # the solver of the layout has its own
            if step == _STEPS:
                raise
        for text in figure.findobj(Text):
            if isinstance(text, Text):
                text.set_fontsize(_SMALLER * float(text.get_fontsize()))


def _has_room(ax: Axes) -> bool:
    if not ax.get_visible() or not ax.axison or ax.images or ax.get_label() == "<colorbar>":
        return True
    place = ax.get_window_extent()
    return bool(min(place.width, place.height) >= _LEAST_INCH * ax.figure.dpi)


def _fit(figure: Figure) -> None:
    """Turn names that overlap, and fold those of an axis, and lines, that are longer than it."""
    axes = [ax for ax in figure.axes if ax.get_visible()]
    figure.draw_without_rendering()
    across = figure.bbox.width - 0.1 * figure.dpi
    lines = [*figure.texts, *(legend.get_title() for legend in figure.legends)]
    added = sum(_fold(t, t.get_window_extent().width / across) for t in lines if t.get_text())
    if added:  # below and above the panels, which keep their height
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, max(height, min(height + added, TALLEST_MM / _MM)))
    for _ in range(2):  # what is turned or folded leaves less room for the rest
        figure.draw_without_rendering()
        changed = [_turned(ax, figure) for ax in axes]
        figure.draw_without_rendering()  # square panels need a few times to settle
        changed += [_folded(ax, axes, figure) for ax in axes]
        if not any(changed):
            break
    _inside(figure)


def _across(ax: Axes, axes: list[Axes], whole: float) -> float:
    """How wide a line above or below a panel may be: to the middle between it and the next."""
    place = ax.get_window_extent()
    left, right = -whole, 2 * whole
    beside = [a for a in axes if a is not ax and a.get_label() != "<colorbar>"]
    for other in (a.get_window_extent() for a in beside):
        if other.y0 < place.y1 and other.y1 > place.y0:
            if other.x0 >= place.x1:
                right = min(right, (place.x1 + other.x0) / 2)
            elif other.x1 <= place.x0:
                left = max(left, (place.x0 + other.x1) / 2)
    if left < 0 and right > whole:
        return whole
    middle = (place.x0 + place.x1) / 2
    return 2 * min(middle - max(left, 0), min(right, whole) - middle)


def _thin(ax: Axes, figure: Figure) -> bool:
    """Have fewer numbers along an axis where they touch."""
    locator = ax.xaxis.get_major_locator()
    if not isinstance(locator, MaxNLocator):
        return False
    for most in (5, 4, 3, 2):
        low, high = sorted(ax.get_xlim())
        ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=False)
        places = [t.get_window_extent() for x, t in ticks if low <= x <= high and t.get_text()]
        gap = 0.3 * float(ax.xaxis.label.get_fontsize()) / 72 * figure.dpi
        if all(a.x1 + gap <= b.x0 for a, b in itertools.pairwise(places)):
            return most < 5
        locator.set_params(nbins=most)
    return True


def _turned(ax: Axes, figure: Figure) -> bool:
    """Turn names along an axis that overlap, or have fewer numbers; whether it was needed."""
    if isinstance(ax.xaxis.get_major_locator(), FixedLocator):
        return _turn(ax, [t for t in ax.get_xticklabels() if t.get_text()])
    return _thin(ax, figure)


def _folded(ax: Axes, axes: list[Axes], figure: Figure) -> bool:
    """Fold the names of a panel and its axes that are longer than it; whether it was needed."""
    place = ax.get_window_extent()
    wide = max(_across(ax, axes, figure.bbox.width), 1.0)
    name = ax.yaxis.label
    added = _fold(name, name.get_window_extent().height / max(place.height, 1.0))
    for name in (ax.xaxis.label, ax.title):
        added += _fold(name, name.get_window_extent().width / wide)
    return added > 0


def _inside(figure: Figure) -> None:
    """Leave at the edges what the layout lets stand out there, as names beside square panels do."""
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        return
    width, height = figure.get_size_inches()
    left = below = right = above = 0.0
    for _ in range(4):
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
        out = -drawn.x0 / width, -drawn.y0 / height, drawn.x1 / width - 1, drawn.y1 / height - 1
        if max(out) <= 0:
            return
        left, below = left + max(0.0, out[0]), below + max(0.0, out[1])
        right, above = right + max(0.0, out[2]), above + max(0.0, out[3])
        engine.set(rect=(left, below, 1 - left - right, 1 - below - above))


def _fold(text: Text, long: float) -> float:
    """Break a text between words, so many times as long as its place; inches of the lines added."""
    before = text.get_text()
    if long <= 1 or not before.strip():
        return 0.0
    most = max(8, int(max(map(len, before.splitlines())) / long))
    folded = fill(before, most, break_long_words=False, break_on_hyphens=False)
    text.set_text(folded)
    text.set_multialignment("center")
    lines = folded.count("\n") - before.count("\n")
    return max(0, lines) * 1.2 * float(text.get_fontsize()) / 72


def _turn(ax: Axes, names: list[Text]) -> bool:
    places = [box.get_window_extent() for box in names]
    if len(places) < 2:
        return False
    step = (places[-1].x1 - places[0].x1) / (len(places) - 1)
    turned = float(names[0].get_rotation())
    # Of turned names it is the lines of letters that come too near each other.
    if turned == 0:
        crowded = any(a.x1 > b.x0 for a, b in itertools.pairwise(places))
    else:
        letters = 1.2 * float(names[0].get_fontsize()) / 72 * ax.figure.dpi
        crowded = step * math.sin(math.radians(turned)) < letters
    if crowded:
        ax.tick_params(axis="x", rotation=90)
    return crowded and turned != 90


_style: ContextVar[FigureStyle | None] = ContextVar("figure_style", default=None)


def current_style() -> FigureStyle:
    """The style that figures are written in now."""
    return _style.get() or FigureStyle()


@contextmanager
def styled(style: FigureStyle) -> Iterator[None]:
    """Draw and write every figure in a style, as long as the context lasts."""
    token = _style.set(style)
    family = {} if style.font is None else {"font.family": [style.font, "DejaVu Sans"]}
    try:
        with rc_context(family):  # type: ignore[arg-type]
            yield
    finally:
        _style.reset(token)
