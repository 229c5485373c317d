"""References of a stored config to its own options, ``${seed}``, put in without OmegaConf.

OmegaConf puts in what a reference names and looks at the outcome again: two texts that are no
reference each can be one together, ``${oc.env:NAME}``, which reads the environment. And what a
reference names may hold references, so that a few lines grow without end.
"""

from __future__ import annotations

import re
from typing import Any

from mua_decode.types import InputError

_REFERENCE = re.compile(r"\$\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}")
_EACH = 32  # what every value counts for beside its characters
_MOST = 1 << 26


def put_in(options: Any, where: object) -> Any:
    """Return options, plain values, with what their references name in the place of these.

    Raises InputError naming ``where`` if what comes of it is too much or a reference again,
    ValueError or LookupError if a reference leads nowhere, or to itself.
    """
    return _Options(options, where).filled(options)[0]


class _Options:
    """The options references are looked up in, and what was made of each value so far."""

    def __init__(self, root: Any, where: object) -> None:
        self._root, self._where = root, where
        self._known: dict[int, tuple[Any, int] | None] = {}

    def filled(self, value: Any) -> tuple[Any, int]:
        """A value without references, and its size."""
        if not isinstance(value, dict | list | str):
            return value, _EACH
        if id(value) not in self._known:
            self._known[id(value)] = None
            self._known[id(value)] = self._fill(value)
        found = self._known[id(value)]
        if found is None:
            raise ValueError("a reference leads to itself")
        return found

    def _fill(self, value: dict[Any, Any] | list[Any] | str) -> tuple[Any, int]:
        if isinstance(value, str):
            return self._text(value)
        inside = [self.filled(v) for v in (value.values() if isinstance(value, dict) else value)]
        self._check(size := _EACH + sum(n for _, n in inside))
        entries = [entry for entry, _ in inside]
        return dict(zip(value, entries, strict=True)) if isinstance(value, dict) else entries, size

    def _text(self, text: str) -> tuple[Any, int]:
        named = [self.filled(self._option(name)) for name in _REFERENCE.findall(text)]
        self._check(size := _EACH + len(text) + sum(n for _, n in named))
        if named and _REFERENCE.fullmatch(text):
            return named[0]
        if any(isinstance(found, dict | list) for found, _ in named):
            raise ValueError("a text refers to what is none")
        values = iter(named)
        made = _REFERENCE.sub(lambda _: str(next(values)[0]), text)
        if named and "${" in made:
            raise InputError(
                f"{self._where}: {text[:80]!r} makes a reference of its parts; refused, a stored "
                "config may refer to its own options alone"
            )
        return made, size

    def _option(self, name: str) -> Any:
        found = self._root
        for part in name.split("."):
            inside = isinstance(found, dict) and part in found
            found = found[part] if inside else found[int(part)]
        return found

    def _check(self, size: int) -> None:
        if size > _MOST:
            raise InputError(
                f"{self._where}: refused, what its references name grows beyond {_MOST >> 20} MiB"
            )
