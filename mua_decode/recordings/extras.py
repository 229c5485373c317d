"""Libraries that only some readers need, and the line that says how to get them."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from mua_decode.types import InputError


def extra(module: str, name: str, what: str) -> Any:
    """Import a module of an optional extra of this package.

    Raises InputError with the pip command if it is not installed.

    Parameters
    ----------
    name
        The extra: ``pip install 'mua-decode[NAME]'``.
    what
        What needs it, for the message.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = str(error.name or module).partition(".")[0]
        raise InputError(
            f"{what} needs {missing}, which is not installed: pip install 'mua-decode[{name}]'"
        ) from error


def require_extra(module: str, name: str, what: str) -> None:
    """Raise what :func:`extra` does, without importing the module."""
    if find_spec(module) is None:
        raise InputError(
            f"{what} needs {module}, which is not installed: pip install 'mua-decode[{name}]'"
        )
