"""One self-contained HTML page built from sections, written piece by piece."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from mua_decode.report.elements import Headline, NotApplicable, Section
from mua_decode.report.encoding import base64_text
from mua_decode.report.markup import escaped
from mua_decode.report.player import films_html, panel_html
from mua_decode.report.tables import picture_html, table_html
from mua_decode.types import InputError

_MARKS = {"good": "✓ good", "warning": "⚠ warning", "neutral": "• note"}


def write_page(
    path: Path,
    sections: Sequence[Section],
    *,
    title: str,
    footer: str = "",
    headlines: Sequence[Headline] = (),
    most_rows: int = 1000,
) -> Path:
    """Write the page, whole or not at all; it needs no other file and no network.

    Style, script, pictures and videos lie in the page. Its security policy forbids every
    request and every script but the page's own, so a name from a user's file can do nothing.

    Parameters
    ----------
    path
        The ``.html`` file.
    sections
        In the order of the page.
    title
        Of the page.
    footer
        One line at the end: version, seed, where the numbers lie.
    headlines
        The first screen: what came out, and what to beware of.
    most_rows
        Rows of a table that are shown.

    Returns
    -------
    ``path``.

    Raises
    ------
    InputError
        If the file cannot be written, or a picture or video cannot be read.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for piece in _page(sections, title, footer, headlines, most_rows):
                file.write(piece)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"report: {path} cannot be written: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def _page(
    sections: Sequence[Section],
    title: str,
    footer: str,
    headlines: Sequence[Headline],
    most_rows: int,
) -> Iterator[str]:
    style, script = _shipped("page.css"), _shipped("page.js")
    names = [f"section-{i}" for i in range(len(sections))]
    links = "".join(
        f'<a href="#{n}">{escaped(s.title)}</a>' for n, s in zip(names, sections, strict=True)
    )
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escaped(title)}</title>\n'
        f'<style>{style}</style></head>\n<body><div class="page">\n'
        f'<nav aria-label="Contents">{links}</nav>\n<main>\n<h1>{escaped(title)}</h1>\n'
        f"{_headlines(headlines)}"
        "<noscript><p>Films need JavaScript; tables and pictures do not.</p></noscript>\n"
    )
    for section, name in zip(sections, names, strict=True):
        yield from _section(section, name, most_rows)
    yield (
        f"<footer><p>{escaped(footer)}</p></footer>\n</main></div>\n"
        f"<script>{script}</script></body></html>\n"
    )


def _section(section: Section, name: str, most_rows: int) -> Iterator[str]:
    yield f'<section id="{name}"><h2>{escaped(section.title)}</h2>\n'
    yield _headlines(section.headlines)
    yield from (f"<p>{escaped(p)}</p>\n" for p in section.text)
    yield from (_unanswered(n) for n in section.not_applicable)
    for i, films in enumerate(section.films):
        yield from films_html(films, name=f"{name}-films{i}")
    if section.panel is not None:
        yield from panel_html(section.panel, name=f"{name}-panel")
    for picture in section.pictures:
        yield picture_html(picture) + "\n"
    for i, (caption, table) in enumerate(section.tables.items()):
        yield table_html(table, caption, name=f"{name}-table{i}", most_rows=most_rows) + "\n"
    yield "</section>\n"


def _headlines(headlines: Sequence[Headline]) -> str:
    items = []
    for h in headlines:
        value = f'<p class="value">{escaped(h.value)}</p>' if h.value else ""
        items.append(
            f'<div class="headline {h.status}"><p class="mark">{_MARKS[h.status]}</p>'
            f"{value}<p>{escaped(h.text)}</p></div>"
        )
    return f'<div class="headlines">{"".join(items)}</div>\n' if items else ""


def _unanswered(item: NotApplicable) -> str:
    return (
        f'<p class="unanswered"><b>{escaped(item.what)}</b>: not applicable to this recording: '
        f"{escaped(item.reason)}</p>\n"
    )


def _shipped(name: str) -> str:
    return resources.files("mua_decode.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Content-Security-Policy: no request at all, no style or script but these two."""
    style_sum, script_sum = (
        base64_text(hashlib.sha256(text.encode()).digest()) for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_sum}'; "
        f"script-src 'sha256-{script_sum}'; base-uri 'none'; form-action 'none'"
    )
