"""Code of the user's own that lies where the command is given and was installed nowhere."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


class _Here:
    """Finds packages by their names in the working folder, where nothing else has them."""

    names: frozenset[str] = frozenset()

    def find_spec(
        self, name: str, path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """Spec of a package that is named, ``None`` for every other."""
        if path is not None or name not in self.names:
            return None
        return PathFinder.find_spec(name, [str(Path.cwd())], None)


_here = _Here()


def find_here(packages: Iterable[str]) -> None:
    """Let packages that ``trusted=`` names be imported from the working folder.

    They stay findable, as what they import when they are called is theirs too; no other name ever
    is, so that a file lying about takes no module's place.
    """
    _here.names = _here.names | {str(p).split(".")[0] for p in packages}
    if _here.names and _here not in sys.meta_path:
        sys.meta_path.append(_here)  # last: what is installed comes first
        importlib.invalidate_caches()
