"""One self-contained HTML page built from sections, written piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mua_decode.files import whole
from mua_decode.report.elements import Headline, Section
from mua_decode.report.encoding import base64_text
from mua_decode.report.pictures import embedded, png_address
from mua_decode.report.player import FilmPlayer, PanelPlayer
from mua_decode.report.tables import kinds, plain_value, shown
from mua_decode.types import InputError

_LOADER = PackageLoader("mua_decode.report")
_PAGES = Environment(
    loader=_LOADER, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_PAGES.policies["json.dumps_kwargs"] = {"allow_nan": False}
_PAGES.filters["shown"] = shown
_PAGES.filters["plain_value"] = plain_value
_PAGES.globals |= {
    "embedded": embedded,
    "png": png_address,
    "film_player": FilmPlayer,
    "panel_player": PanelPlayer,
    "kinds": kinds,
    "most_rows": 1000,  # of a table
    "marks": {"good": "✓ good", "warning": "⚠ warning", "neutral": "• note"},
}


def write_page(
    path: Path,
    sections: Sequence[Section],
    *,
    title: str,
    footer: str = "",
    headlines: Sequence[Headline] = (),
) -> Path:
    """Write the page, whole or not at all; it needs no other file and no network.

    Style, script, pictures and videos lie in the page. Its security policy forbids every request
    and every script but the page's own, so a name from a user's file can do nothing. Raises
    InputError if the file cannot be written, or a picture or video cannot be read.

    Parameters
    ----------
    footer
        One line at the end: version, seed, where the numbers lie.
    headlines
        The first screen: what came out, and what to beware of.
    """
    style, script = (_LOADER.get_source(_PAGES, name)[0] for name in ("page.css", "page.js"))
    pieces = _PAGES.get_template("page.html.j2").generate(
        sections=sections,
        title=title,
        footer=footer,
        headlines=headlines,
        style=Markup(style),
        script=Markup(script),
        policy=Markup(_policy(style, script)),
    )
    try:
        path.parent.stat()  # no folder is made for a mistyped path
        with whole(path) as partial, partial.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
    except OSError as error:
        raise InputError(f"report: {path} cannot be written: {error.strerror or error}") from None
    return path


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: no request at all, no style or script but these two."""
    style_sum, script_sum = (
        base64_text(hashlib.sha256(text.encode()).digest()) for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_sum}'; "
        f"script-src 'sha256-{script_sum}'; base-uri 'none'; form-action 'none'"
    )
