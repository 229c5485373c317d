"""Text, numbers and data as they stand in HTML, whatever characters they hold."""

from __future__ import annotations

import html
import json
from numbers import Integral, Real

import pandas as pd


def escaped(text: object) -> str:
    """Return text that is harmless in an element and in a quoted attribute."""
    return html.escape(str(text), quote=True)


def shown(value: object) -> str:
    """Return a value as the reader sees it: four digits, ``unknown`` for a missing number."""
    if value is None or value is pd.NA or value is pd.NaT:
        return "unknown"
    if isinstance(value, Real) and not isinstance(value, Integral | bool):
        number = float(value)
        return "unknown" if number != number else f"{number:.4g}"
    return str(value)


def json_block(name: str, content: object) -> str:
    """Return an inert element with data; no name in it can end the element or start another."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>\n'


def base64_block(name: str, text: str) -> str:
    """Return an inert element with base64 text, read only when it is needed."""
    return f'<script type="text/plain" id="{name}">{text}</script>\n'
