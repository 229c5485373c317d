"""Checks that every parameter class of the simulator shares; each failure is one line."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping

from mua_decode.types import InputError


def require_range(
    where: str,
    values: Mapping[str, float],
    *names: str,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
) -> None:
    """Raise an InputError unless these values are finite numbers in ``low <= value <= high``.

    ``names`` says which of the values, all if none; with ``above`` the lower bound is exclusive.
    """
    for name in names or values:
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise InputError(f"{where}: {name} must be a number, found {value!r}")
        too_low = value <= low if above else value < low
        if not math.isfinite(value) or too_low or value > high:
            upper = "" if high == math.inf else f" and <= {high:g}"
            sign = ">" if above else ">="
            raise InputError(f"{where}: {name} must be {sign} {low:g}{upper}, found {value:g}")


def require_whole(where: str, values: Mapping[str, int], *names: str, low: int) -> None:
    """Raise an InputError unless these values (default: all) are whole numbers >= ``low``."""
    for name in names or values:
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
            raise InputError(f"{where}: {name} must be a whole number >= {low}, found {value!r}")


def whole_steps(where: str, *, duration_s: float, step_s: float, name: str) -> int:
    """Return how many steps fill a duration, or raise if they do not fill it exactly."""
    steps = round(duration_s / step_s)
    if steps < 1 or abs(steps * step_s - duration_s) > 1e-6:
        raise InputError(
            f"{where}: {name} of {duration_s:g} s is not a whole number of {step_s:g} s steps"
        )
    return steps
