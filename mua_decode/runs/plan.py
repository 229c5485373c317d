"""Options of a command as a frozen plan, checked and converted once."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from omegaconf import OmegaConf

from mua_decode.types import PARTS, InputError, nearest_name

P = TypeVar("P")
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def read_plan(kind: type[P], cfg: Any, **given: Any) -> P:
    """Make a plan, a frozen dataclass, from the options of the same names.

    A field whose type is a plan itself is read from the group of its name. What a field expects
    may be said in words: ``field(metadata={"expected": "lists of regions such as [[V4,MT]]"})``.

    Parameters
    ----------
    kind
        The dataclass; its fields are numbers, texts, lists (``tuple[X, ...]``), mappings or plans.
    cfg
        Config of the command, or a plain mapping. Options that the plan lacks are left.
    given
        Fields that are no plain options.

    Raises InputError if an option is of another kind, naming it.
    """
    return _read(kind, cfg, "", given)


def plain(cfg: Any) -> Any:
    """Return a config, or a part of one, as plain dictionaries and lists with texts as keys."""
    found = OmegaConf.to_container(cfg, resolve=True) if OmegaConf.is_config(cfg) else cfg
    return {str(k): plain(v) for k, v in found.items()} if isinstance(found, Mapping) else found


def _read(kind: type[P], cfg: Any, prefix: str, given: Mapping[str, Any]) -> P:
    options, hints = plain(cfg), typing.get_type_hints(kind)
    values = dict(given)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in values or field.name not in options:
            continue
        name, value = f"{prefix}{field.name}", options[field.name]
        try:
            values[field.name] = _convert(value, hints[field.name], name)
        except TypeError:
            expected = field.metadata.get("expected") or _said(hints[field.name])
            raise InputError(f"{name}: expected {expected}, found {value}") from None
    return kind(**values)


def _convert(value: Any, hint: Any, name: str) -> Any:
    """Return the value as its type hint wants it; TypeError where it is of another kind."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in inside:
            return None
        for option in inside:
            try:
                return _convert(value, option, name)
            except TypeError:
                continue
        raise TypeError
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        if value is not None and not isinstance(value, Mapping):
            names = ", ".join(f"{name}.{field.name}" for field in dataclasses.fields(hint))
            raise InputError(f"{name}: is a group of options ({names}), found {value}")
        return _read(typing.cast(Any, hint), value or {}, f"{name}.", {})
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise TypeError
        return tuple(_convert(v, inside[0], name) for v in value)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, Mapping):
            raise TypeError
        return {str(k): _convert(v, inside[1], name) for k, v in value.items()}
    if hint is str:
        return str(value) if isinstance(value, str | int | float) else _refuse()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if type(value) is hint else _refuse()


def _refuse() -> Any:
    raise TypeError


def _said(hint: Any) -> str:
    inside = [a for a in typing.get_args(hint) if a is not type(None)]
    if typing.get_origin(hint) is tuple:
        return "a list"
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(_said(a) for a in inside)
    return _WORDS.get(hint, "a group of options")


def check_part(part: str) -> str:
    """Return the name of a part of the split.

    Raises InputError if there is none of that name.
    """
    if part not in PARTS:
        raise InputError(f"part={part}: choose from {', '.join(PARTS)}{nearest_name(part, PARTS)}")
    return part
