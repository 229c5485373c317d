"""What ``inspect activity=...`` shows: whether units tell the conditions apart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.runs.progress import Screen
from mua_decode.types import InputError, Recording

if TYPE_CHECKING:
    from mua_decode.scoring.activity import Activity

_DRAWN = (".png", ".pdf", ".svg")
_MOST_ROWS = 60


def show_activity(recording: Recording, asked: object, *, seed: int, out: Screen) -> None:
    """Print rates, reliability and identification of every region, and draw rates if asked.

    Parameters
    ----------
    asked
        True, or the path of the figure; false: nothing is shown.

    Raises InputError if it is neither, or the file cannot be written.
    """
    if asked is None or asked is False:
        return
    # Imported here: what is only looked at starts without torch.
    from mua_decode.figures import peristimulus, save
    from mua_decode.scoring.activity import measure_activity

    path = None if asked is True else Path(str(asked)).expanduser()
    if path is not None and path.suffix.lower() not in _DRAWN:
        raise InputError(
            f"activity: true, or a file that ends in {', '.join(_DRAWN)}; found {path}"
        )
    found = measure_activity(recording, seed=seed)
    for table in activity_tables(found):
        out.print(table)
    for note in found.notes:
        out.print(f"note: {note}", style="dim", highlight=False, soft_wrap=True)
    if path is not None:
        counted = all(s.measure == "counts" for s in recording.sessions)
        unit = "spikes per second" if counted else "standardised activity"
        title = (
            f"{textwrap.shorten(recording.name, 50, placeholder=' …')}: means over trials and sites"
        )
        try:
            save(peristimulus(found.rates, title=title, unit=unit), path)
        except OSError as error:
            raise InputError(f"activity: {path} cannot be written: {error.strerror}") from None
        out.print(f"look at  {path}", highlight=False, soft_wrap=True)


def activity_tables(found: Activity) -> Iterator[Table]:
    """Lay it out for the terminal, a table per session; the last says what p is."""
    heads = ["region", "sites", "trials", "condi-\ntions", "mean\nrate, Hz", "r of\nhalves"]
    heads += ["identi-\nfied", "chance", "p"]
    sessions = [part for _, part in found.rows.head(_MOST_ROWS).groupby("session", sort=False)]
    test = found.tests.frame.iloc[0]
    for number, part in enumerate(sessions):
        title = f"activity of {part['session'].iloc[0]}, no video asked"
        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
        for name in heads:
            left = name == "region"
            table.add_column(name, justify="left" if left else "right", no_wrap=not left)
        for row in part.to_dict("records"):
            cells = [str(row[n]) for n in ("region", "sites", "trials", "conditions")]
            cells += [_number(row[n], "{:.3f}") for n in ("rate_hz", "half_r", "identified")]
            cells += [_number(row["chance"], "{:.3f}"), _number(row["p_corrected"], "{:.2g}")]
            table.add_row(*cells)
        if number == len(sessions) - 1:
            table.caption = (
                f"r of halves: condition differences, median over sites. p: {test['test']}; n = "
                f"trials; {test['correction']}"
            )
            table.caption_justify = "left"
        yield table


def _number(value: object, form: str) -> str:
    return "-" if not isinstance(value, float) or pd.isna(value) else form.format(value)
