"""Pictures that lie in the page."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from mua_decode.figures.save import take_literally
from mua_decode.report.encoding import base64_text
from mua_decode.types import InputError

_KINDS = {
    ".svg": "svg+xml",
    ".png": "png",
    ".gif": "gif",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
_LIGHT_SVG = 250_000  # bytes up to which lines that stay sharp are worth more than size


@dataclass(frozen=True)
class Embedded:
    """A picture as a ``data:`` address, and whether a narrow screen must scroll to read it."""

    uri: str
    wide: bool


def embedded(image: Figure | Path) -> Embedded:
    """Return a picture as it is embedded.

    Raises InputError if the file cannot be read or is of no kind that browsers show.
    """
    kind, data = _drawn(image) if isinstance(image, Figure) else _read(image)
    width, height = (1.0, 1.0)
    if isinstance(image, Figure):
        width, height = image.get_size_inches()
    elif kind == "png":
        # Width and height follow the signature and the name of the first chunk.
        width, height = struct.unpack(">II", data[16:24].ljust(8, b"\1"))
    return Embedded(f"data:image/{kind};base64,{base64_text(data)}", bool(width >= 2 * height))


def png_address(data: bytes) -> str:
    """Return a PNG file as a ``data:`` address."""
    return f"data:image/png;base64,{base64_text(data)}"


def _read(path: Path) -> tuple[str, bytes]:
    """Kind (as in ``image/KIND``) and bytes of a file."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"report: {path.name} must end in {', '.join(_KINDS)}")
    try:
        return kind, path.read_bytes()
    except OSError as error:
        raise InputError(f"report: {path} cannot be read: {error.strerror}") from None


def _drawn(figure: Figure) -> tuple[str, bytes]:
    """Kind and bytes of a figure, as lines or as pixels."""
    lines, dots = io.BytesIO(), io.BytesIO()
    take_literally(figure)
    # Without a date and with fixed names the same figure gives the same file.
    with rc_context({"svg.hashsalt": "mua_decode"}):
        figure.savefig(lines, format="svg", metadata={"Date": None})
    figure.savefig(dots, format="png", dpi=150)
    svg, png = lines.getvalue(), dots.getvalue()
    return ("svg+xml", svg) if len(svg) <= max(len(png), _LIGHT_SVG) else ("png", png)
