"""What a question found: tables, tests, figures and numbers; written and shown in one way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__, figures
from mua_decode.files import write_text
from mua_decode.report import Films
from mua_decode.runs.drawn import Drawing, write_animation, write_figures
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.page import PAGE, keep_captions, write_run_page
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.runs.typed import keep_typed
from mua_decode.scoring.standing import Standing
from mua_decode.types import HypothesisTable, ResultTable, whole

SHOWN = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """Everything a question found.

    Parameters
    ----------
    results
        Scores: ``results.csv``.
    metrics
        Flat numbers and what is to be said of them: ``metrics.json``.
    tests
        What every p-value is: ``tests.csv``.
    tables
        Further tables by the name of their file, without its ending; an empty one is not written.
    figures
        Figures, or what draws them, by the name of their file, without its ending. They are drawn
        when everything else is on the disk.
    screen
        Tables and lines for the terminal, in order.
    digits
        Significant digits of ``tests.csv`` and of the further tables.
    standing
        Where the decoder that was asked stands beside chance and its floors; what forbids
        conclusions is said first.
    captions
        What a figure shows and which file holds its numbers, by the name of its file.
    films
        Videos that play in the report: ``films.npz``.
    animations
        What writes a GIF beside the figures to a path, by the name of its file.
    """

    results: ResultTable
    metrics: Mapping[str, Any]
    tests: HypothesisTable | None = None
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    screen: Sequence[Table | str] = ()
    digits: int = 6
    standing: Standing | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    films: Films | None = None
    animations: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write every number, ``metrics.json`` the last of them, then figures; return the numbers.

        A figure that cannot be drawn is one line on the terminal.
        """
        run, flat = RunFolder(folder), dict(self.metrics)
        if self.standing is not None and self.standing.withheld:
            flat["withheld"] = "; ".join(self.standing.warnings.values())
            if self.standing.below:
                flat["below_floors"] = self.standing.warning
        json.dumps(flat, allow_nan=False)
        if self.films is not None:
            self.films.save(run.films)
        tables = {k: t for k, t in self.tables.items() if len(t)}
        if self.tests is not None:
            tables["tests"] = self.tests.frame
        for name, table in tables.items():
            text = table.to_csv(index=False, float_format=f"%.{self.digits}g")
            write_text(folder / f"{name}.csv", text)
        run.save_metrics(flat, self.results.frame)
        drawn = write_figures(self.figures, run)
        keep_captions(run, {k: v for k, v in self.captions.items() if k in drawn})
        for name, write in self.animations.items():
            write_animation(name, write, run)
        return flat

    def show(self, folder: Path) -> None:
        """Print the short version, and where the whole is."""
        for line in self.standing.warnings.values() if self.standing is not None else ():
            console.print(f"WARNING: {line}", style="bold", highlight=False, soft_wrap=True)
        for part in self.screen:
            console.print(part, highlight=False, soft_wrap=isinstance(part, str))
        places = {"numbers": folder / "metrics.json"}
        if self.figures and (folder / "figures").is_dir() and figures.current_style().draw:
            places["figures"] = folder / "figures"
        if (folder / PAGE).is_file():
            places["report"] = folder / PAGE
        for what, place in places.items():
            console.print(f"{what}  {place}", highlight=False, soft_wrap=True)

    def publish(self, folder: Path, source: Run | None = None) -> dict[str, Any]:
        """Write and show; return the flat numbers.

        Parameters
        ----------
        source
            The run that was asked: with it, ``report.html`` is written as well.
        """
        if source is not None and self.standing is None:
            known = Standing.read(source.folder.metrics)
            if known is not None:
                return replace(self, standing=known).publish(folder, source)
        flat = self.write(folder)
        if source is not None:
            keep_typed(folder, source=source.folder.path)
            write_run_page(folder, source.folder.path)
        self.show(folder)
        return flat


def stamp(run: Run, failures: Mapping[str, str]) -> dict[str, Any]:
    """What stands first in the numbers of runs that were trained again."""
    return {
        "leaking": run.leaks.flag,
        "seed": run.seed,
        "version": __version__,
        "failed": dict(failures),
    }


def only_decoder(table: ResultTable, **labels: str) -> ResultTable:
    """The decoder's rows of a table with columns relabelled."""
    return relabel(ResultTable(table.frame[table.frame["run"] == "decoder"]), **labels)


def relabel(table: ResultTable, **labels: str) -> ResultTable:
    """Return a table with columns set to a label."""
    return ResultTable(table.frame.assign(**labels))


def headlines(table: ResultTable, *, trial: str = "single_trial") -> pd.DataFrame:
    """Rows over all conditions of the whole video, or of the only segment a metric scores."""
    return whole(table.frame[(table.frame["condition"] == "all") & (table.frame["trial"] == trial)])


def score_table(
    rows: pd.DataFrame, *, title: str, names: Sequence[str], metrics: Sequence[str] = SHOWN
) -> Table:
    """Lay scores out for the terminal.

    Parameters
    ----------
    rows
        One line per row and metric: columns ``names``, ``metric``, ``value`` and, where there is
        a spread, ``sd``.
    names
        The columns that name a row.
    metrics
        Columns to print, where there are any; where there is none of them, all that were scored.
    """
    scored = list(dict.fromkeys(rows["metric"]))
    columns = [m for m in metrics if m in scored] or scored
    printed = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for _ in names:
        printed.add_column("", no_wrap=True)
    for metric in columns:
        text = metric.replace("identification", "identified").replace("_", "\n")
        printed.add_column(text, justify="right", no_wrap=True)
    for labels, part in rows.groupby(list(names), sort=False):
        found = {r["metric"]: r for r in part.to_dict("records")}
        cells = [_cell(found.get(metric)) for metric in columns]
        printed.add_row(*(_short(str(label)) for label in labels), *cells)
    return printed


def _short(label: str) -> str:
    kind, _, name = label.partition("/")
    text = label if not name else kind if kind == "ceiling" else name
    return text.replace("decoder trained", "trained").replace("_", " ")


def _cell(row: Mapping[Any, Any] | None) -> str:
    if row is None or math.isnan(row["value"]):
        return "-"
    spread = row.get("sd")
    known = spread is not None and not math.isnan(spread)
    return f"{row['value']:.3g}" + (f" ± {spread:.2g}" if known else "")
