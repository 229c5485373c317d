"""What a sweep searches: options of a run and the values each may take."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from mua_decode.runs.config import groups
from mua_decode.types import InputError, nearest_name

KINDS = ("float", "log", "int", "log_int", "categorical")
Value = str | float | int | bool | None
# These belong to the sweep; the recording is read once for all trials.
_FIXED = (
    *("recording", "seed", "logger", "metric", "floor", "trusted", "name", "sweep", "launcher"),
    "callbacks",
)
# Of the trainer: how long and how it learns. The rest is said by who starts a worker, and the space
# stands in a folder that others may write to.
_OF_TRAINER = (
    *("max_epochs", "min_epochs", "max_steps", "min_steps", "precision", "deterministic"),
    *("gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches"),
)


@dataclass(frozen=True)
class Dimension:
    """An option and the values it may take; ``InputError`` if these do not make sense.

    Parameters
    ----------
    option
        Dotted name as on the command line, or a config group: ``model``.
    kind
        One of ``KINDS``; ``log`` is a float, logarithmic.
    points
        How many values a grid tries where there is no step.
    choices
        Of ``categorical``; a list is written as text: ``"[5,3,3,3]"``.
    """

    option: str
    kind: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    points: int | None = None
    choices: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        where = f"sweep.space: {self.option}"
        if self.kind not in KINDS:
            known = f"{nearest_name(self.kind, KINDS)}; choose from: {', '.join(KINDS)}"
            raise InputError(f"{where}: there is no kind '{self.kind}'{known}")
        if self.kind == "categorical":
            if not self.choices:
                raise InputError(f"{where}: a categorical option needs choices=[...]")
            if any(not isinstance(c, str | float | int | bool | None) for c in self.choices):
                raise InputError(f"{where}: write lists among the choices as text: '[1,2]'")
            return
        if self.choices:
            raise InputError(f"{where}: choices belong to kind=categorical, not {self.kind}")
        ends = (self.low, self.high)
        if any(not isinstance(v, int | float) or isinstance(v, bool) for v in ends):
            raise InputError(f"{where}: expected numbers low and high, found {ends}")
        if not self.low < self.high:  # type: ignore[operator]
            raise InputError(f"{where}: low must be below high, found {self.low} and {self.high}")
        if self.points is not None and self.points < 2:
            raise InputError(f"{where}: points: expected at least 2, found {self.points}")
        try:
            _ = self.distribution
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error

    @property
    def distribution(self) -> CategoricalDistribution | FloatDistribution | IntDistribution:
        """The same for Optuna."""
        if self.kind == "categorical":
            return CategoricalDistribution(self.choices)
        assert self.low is not None
        assert self.high is not None
        if self.kind in ("int", "log_int"):
            if any(v is not None and v != int(v) for v in (self.low, self.high, self.step)):
                raise ValueError("an int needs whole numbers low, high and step")
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return IntDistribution(low, high, log=self.kind == "log_int", step=step)
        return FloatDistribution(self.low, self.high, log=self.kind == "log", step=self.step)

    def suggest(self, trial: Trial) -> Value:
        """Draw a value for a trial."""
        wanted: Any = self.distribution
        if isinstance(wanted, CategoricalDistribution):
            found: Value = trial.suggest_categorical(self.option, self.choices)
            return found
        suggest = trial.suggest_int if isinstance(wanted, IntDistribution) else trial.suggest_float
        return suggest(self.option, wanted.low, wanted.high, step=wanted.step, log=wanted.log)

    def admits(self, value: Any) -> bool:
        """Whether a trial may have been given this value."""
        if self.kind == "categorical":
            return any(value == c and type(value) is type(c) for c in self.choices)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (self.low or 0) <= value <= (self.high or 0)

    def grid(self) -> tuple[Value, ...]:
        """Values a grid tries; ``InputError`` if neither step nor points says which."""
        if self.kind == "categorical":
            return self.choices
        assert self.low is not None
        assert self.high is not None
        whole = self.kind in ("int", "log_int")
        if self.points is not None:
            spaced = np.geomspace if self.kind.startswith("log") else np.linspace
            values = spaced(self.low, self.high, self.points)
            return tuple(dict.fromkeys(round(v) if whole else float(v) for v in values))
        if self.step is None and self.kind != "int":
            raise InputError(f"sweep.space: {self.option}: a grid needs step or points")
        values = np.arange(self.low, self.high + 1e-9, self.step or 1)
        return tuple(int(v) if whole else float(v) for v in values)


@dataclass(frozen=True)
class Space:
    """All options a sweep searches."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def read(cls, entries: Sequence[Mapping[str, Any]], source: Mapping[str, Any]) -> Space:
        """Read ``sweep.space``; ``InputError`` if an entry is wrong or no option of the run."""
        found = []
        for entry in entries:
            if not isinstance(entry, Mapping):
                raise InputError(f"sweep.space: expected {{option: ..., kind: ...}}, found {entry}")
            given = {str(k): v for k, v in entry.items()}
            if not {"option", "kind"} <= set(given) <= set(Dimension.__dataclass_fields__):
                raise InputError(
                    f"sweep.space: an entry has option, kind and low, high, step, points or "
                    f"choices; found {', '.join(sorted(given))}"
                )
            found.append(Dimension(**given | {"choices": tuple(given.get("choices") or ())}))
            _check_option(found[-1].option, source)
        names = [d.option for d in found]
        if not names or len(set(names)) < len(names):
            raise InputError("sweep.space: expected at least one option, and none twice")
        return cls(tuple(found))

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Draw a value of every option for a trial."""
        return {d.option: d.suggest(trial) for d in self.dimensions}

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse values of a trial that this space could not have given it.

        The study may lie where others can write to it. Raises InputError naming the option.
        """
        dimensions = {d.option: d for d in self.dimensions}
        for option in sorted({*values, *dimensions}):
            within = option in values and option in dimensions
            if not within or not dimensions[option].admits(values[option]):
                raise InputError(
                    f"the study holds a trial whose {option} is not one that this sweep searches; "
                    "somebody else wrote to it: choose another out_dir or storage"
                )

    def combinations(self) -> list[dict[str, Value]]:
        """Every combination of the points of the grid."""
        names = [d.option for d in self.dimensions]
        values = itertools.product(*(d.grid() for d in self.dimensions))
        return [dict(zip(names, v, strict=True)) for v in values]


def overrides(values: Mapping[str, Value]) -> list[str]:
    """Values as they are written on the command line."""
    texts = {None: "null", True: "true", False: "false"}
    return [
        f"{name}={texts[value] if value is None or isinstance(value, bool) else value}"
        for name, value in values.items()
    ]


def _check_option(option: str, source: Mapping[str, Any]) -> None:
    *parents, last = option.split(".")
    top = option.split(".")[0]
    if top in _FIXED:
        raise InputError(f"sweep.space: {option}: {top} is the same for all trials of a sweep")
    if top == "trainer" and (len(parents) != 1 or last not in _OF_TRAINER):
        raise InputError(
            f"sweep.space: {option}: of the trainer a sweep may search {', '.join(_OF_TRAINER)}"
        )
    if not parents and option in groups():
        return
    holder: Any = source
    for parent in parents:
        holder = holder.get(parent) if isinstance(holder, Mapping) else None
    if not isinstance(holder, Mapping) or last not in holder:
        near = nearest_name(last, list(holder)) if isinstance(holder, Mapping) else ""
        raise InputError(f"sweep.space: '{option}' is not an option of the run{near}")
