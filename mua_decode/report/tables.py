"""Tables and pictures as HTML."""

from __future__ import annotations

import io
import struct
from numbers import Number
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from mua_decode.report.elements import Picture, Statistics, Table
from mua_decode.report.encoding import base64_text
from mua_decode.report.markup import escaped, shown
from mua_decode.types import InputError

_KINDS = {
    ".svg": "svg+xml",
    ".png": "png",
    ".gif": "gif",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
_LONG = 32  # characters of a cell from which it may break
_LIGHT_SVG = 250_000  # bytes up to which lines that stay sharp are worth more than size


def table_html(table: pd.DataFrame | Table, caption: str, *, name: str, most_rows: int) -> str:
    """Return a table with its caption above, in a box that scrolls where it does not fit.

    Parameters
    ----------
    table
        Columns are shown, the index is not.
    caption
        Plain text.
    name
        Of the element, unique in the page.
    most_rows
        Rows shown; where the table has more, the caption says so.
    """
    frame = table.frame if isinstance(table, Table) else table
    statistics = table.statistics if isinstance(table, Table) else None
    if len(frame) > most_rows:
        caption = f"{caption} (first {most_rows} of {len(frame)} rows)"
    kinds = [_kind(frame.iloc[:, i]) for i in range(frame.shape[1])]
    head = "".join(
        f'<th scope="col"{kind}>{escaped(str(c).replace("_", " "))}</th>'
        for c, kind in zip(frame.columns, kinds, strict=True)
    )
    rows = [
        "<tr>"
        + "".join(f"<td{k}>{escaped(shown(v))}</td>" for v, k in zip(row, kinds, strict=True))
        + "</tr>"
        for row in frame.head(most_rows).itertuples(index=False, name=None)
    ]
    return (
        f'<figure class="table"><figcaption id="{name}">{escaped(caption)}</figcaption>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"{statistics_html(statistics)}</figure>"
    )


def _kind(column: pd.Series) -> str:
    """Numbers stand to the right, words to the left; long words may break."""
    if any(isinstance(v, Number) for v in column):
        return ""
    long = any(len(str(v)) > _LONG for v in column)
    return ' class="text long"' if long else ' class="text"'


def picture_html(picture: Picture) -> str:
    """Return a picture with its caption below, embedded in the page.

    Raises
    ------
    InputError
        If the file cannot be read or is of no kind that browsers show.
    """
    kind, data = _image(picture.image)
    caption = escaped(picture.caption)
    wide = " wide" if _is_wide(picture.image) else ""
    return (
        f'<figure class="picture{wide}"><div class="frame">'
        f'<img src="data:image/{kind};base64,{base64_text(data)}" alt="{caption}">'
        f"</div><figcaption>{caption}</figcaption>"
        f"{statistics_html(picture.statistics)}</figure>"
    )


def statistics_html(statistics: Statistics | None) -> str:
    """Return the line that says n, test and correction."""
    if statistics is None:
        return ""
    said = {"n": statistics.n, "test": statistics.test, "correction": statistics.correction}
    parts = [f"<b>{name}</b> {escaped(text)}" for name, text in said.items() if text]
    return f'<p class="statistics">{"; ".join(parts)}</p>' if parts else ""


def _is_wide(image: Figure | Path) -> bool:
    """Whether a narrow screen must scroll sideways to keep the lettering readable."""
    if isinstance(image, Figure):
        width, height = image.get_size_inches()
    elif image.suffix.lower() == ".png":
        # Width and height follow the signature and the name of the first chunk.
        width, height = struct.unpack(">II", image.read_bytes()[16:24].ljust(8, b"\1"))
    else:
        return False
    return bool(width >= 2 * height)


def _image(image: Figure | Path) -> tuple[str, bytes]:
    """Kind (as in ``image/KIND``) and bytes."""
    if isinstance(image, Path):
        kind = _KINDS.get(image.suffix.lower())
        if kind is None:
            raise InputError(f"report: {image.name} must end in {', '.join(_KINDS)}")
        try:
            return kind, image.read_bytes()
        except OSError as error:
            raise InputError(f"report: {image} cannot be read: {error.strerror}") from None
    lines, dots = io.BytesIO(), io.BytesIO()
    # Without a date and with fixed names the same figure gives the same file.
    with rc_context({"svg.hashsalt": "mua_decode"}):
        image.savefig(lines, format="svg", metadata={"Date": None})
    image.savefig(dots, format="png", dpi=150)
    svg, png = lines.getvalue(), dots.getvalue()
    return ("svg+xml", svg) if len(svg) <= max(len(png), _LIGHT_SVG) else ("png", png)
