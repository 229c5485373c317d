"""What the trials of stored tensors showed: by their order, or by a table of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.recordings.conditions import make_conditions
from mua_decode.recordings.files import load_csv
from mua_decode.recordings.videos import digest
from mua_decode.types import PARTS, InputError, StimulusSet

_ARRANGED = ("blocks", "cycles")
_OUTER = ("colour", "direction")
_SAME = 1e-6  # of squared differences of features in [0, 1]: rounding


@dataclass(frozen=True, kw_only=True)
class ConditionOrder:
    """How the published conditions are numbered, and how trials of a part follow each other.

    Condition number = stimulus × cues + cue. The stimuli, colours × directions, are numbered with
    the attribute ``outer`` slowest.

    Parameters
    ----------
    cues, colours, directions_deg
        Names and degrees (counter-clockwise from rightward) in the order of their numbers.
    outer
        ``colour`` or ``direction``.
    arranged
        ``blocks``: all trials of condition 0, then all of condition 1 and so on. ``cycles``: one
        trial of every condition in turn, again and again.
    """

    cues: Sequence[str]
    colours: Sequence[str]
    directions_deg: Sequence[float]
    outer: str
    arranged: str

    def __post_init__(self) -> None:
        for name, known in (("outer", _OUTER), ("arranged", _ARRANGED)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"recording.order.{name}: choose from {', '.join(known)}, "
                    f"found {getattr(self, name)}"
                )
        for name in ("cues", "colours", "directions_deg"):
            values = [str(v) for v in getattr(self, name)]
            if not values or len(set(values)) < len(values):
                raise InputError(
                    f"recording.order.{name}: expected distinct values, found {values}"
                )

    @property
    def table(self) -> pd.DataFrame:
        """One row per condition: ``name``, ``cue``, ``colour`` and ``direction_deg``."""
        stimuli = [(c, float(d)) for c in self.colours for d in self.directions_deg]
        if self.outer == "direction":
            stimuli = [(c, float(d)) for d in self.directions_deg for c in self.colours]
        rows = [(f"{cue} {c} {d:g}", cue, c, d) for c, d in stimuli for cue in self.cues]
        return pd.DataFrame(rows, columns=["name", "cue", "colour", "direction_deg"])

    def conditions(self, n_trials: int, n_conditions: int, where: str) -> np.ndarray:
        """Condition of every trial of a part, int (n_trials,), by its place."""
        each, rest = divmod(n_trials, n_conditions)
        if rest:
            raise InputError(
                f"{where}: {n_trials} trials cannot be {n_conditions} conditions with as many "
                "trials each; label them with PART_condition files or a CSV with the columns part "
                "and trial (recording.labels)"
            )
        number = np.arange(n_trials)
        return number // each if self.arranged == "blocks" else number % n_conditions


@dataclass(frozen=True, eq=False)
class Labels:
    """Conditions of stored trials.

    Parameters
    ----------
    conditions
        One row per condition, with a column ``name``.
    trials
        int (trials,): condition of every trial of all parts, in order.
    """

    conditions: pd.DataFrame
    trials: np.ndarray


def read_labels(
    labels: str,
    folder: Path,
    *,
    order: ConditionOrder,
    sizes: Mapping[str, int],
    given: np.ndarray | None,
) -> Labels:
    """Label stored trials; conditions without a trial are left out.

    ``InputError`` if a table does not fit the trials.

    Parameters
    ----------
    labels
        ``published``: the conditions of ``order``. Otherwise a CSV file (a relative path may start
        in ``folder``). With the columns ``part`` and ``trial`` (0-based within the part) it has
        one row per trial, and every distinct combination of the other columns is a condition;
        without them one row per condition, in the order of their numbers.
    sizes
        Trials of each part, in order.
    given
        int (trials,): number of each trial's condition where files ``PART_condition`` have it;
        ``None``: the place in the file says it, as ``order`` has it.
    """
    if labels == "published":
        table, where = order.table, "recording.labels=published"
    else:
        path = _csv(labels, folder)
        table, where = load_csv(path), str(path)
        if {"part", "trial"} <= set(table.columns):
            return _of_trials(table, sizes, where)
        if not len(table) or not len(table.columns):
            raise InputError(f"{where}: expected one row per condition, found none")
        table = _named(table, where)
    number = given
    if number is None:
        parts = [order.conditions(n, len(table), part) for part, n in sizes.items() if n]
        number = np.concatenate(parts)
    if number.max() >= len(table):
        raise InputError(
            f"{where}: has {len(table)} conditions, but a PART_condition names number "
            f"{number.max()} (counted from 0)"
        )
    present, trials = np.unique(number, return_inverse=True)
    return Labels(table.iloc[present].reset_index(drop=True), trials)


def _csv(labels: str, folder: Path) -> Path:
    path = Path(labels).expanduser()
    found = next((p for p in (path, folder / path) if p.is_file()), None)
    if found is None:
        raise InputError(f"recording.labels: no such file: {path}; give a CSV file, or published")
    return found


def _named(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Give conditions a name each, made of their columns where there is none."""
    columns = [str(c) for c in table.columns]
    named, rows = make_conditions([table], columns)
    if len(named) < len(table):
        raise InputError(f"{where}: has equal rows; expected one row per condition")
    return named.iloc[rows[0]].reset_index(drop=True)


def _of_trials(table: pd.DataFrame, sizes: Mapping[str, int], where: str) -> Labels:
    """Labels of a table with one row per trial."""
    columns = [str(c) for c in table.columns if c not in ("part", "trial")]
    if not columns:
        raise InputError(f"{where}: has no column beside part and trial to tell conditions apart")
    expected = pd.MultiIndex.from_tuples([(p, i) for p, n in sizes.items() for i in range(n)])
    found = pd.MultiIndex.from_frame(table[["part", "trial"]])
    counted = ", ".join(f"{p} 0 to {n - 1}" for p, n in sizes.items() if n)
    if found.has_duplicates or set(found) != set(expected):
        raise InputError(f"{where}: expected one row for every part and trial ({counted})")
    ordered = table.set_index(found).loc[expected, columns].reset_index(drop=True)
    if ordered.isna().to_numpy().any():
        raise InputError(f"{where}: a label is missing")
    conditions, rows = make_conditions([ordered], columns)
    return Labels(conditions, rows[0])


def check_labels(
    labels: Labels, stimuli: StimulusSet, video: np.ndarray, sizes: Mapping[str, int]
) -> None:
    """Refuse labels that the videos contradict.

    One video cannot belong to two conditions. What a frame shows of an attribute has to be more
    like the other videos of that value than like those of another: the mean frame of the segment
    ``cue`` for ``cue``, the mean colour of the segment ``stimulus`` for ``colour``. Directions
    cannot be seen in a frame and are not checked.

    Parameters
    ----------
    stimuli
        Every distinct video of a condition once.
    video
        int (trials,): number of every trial's video there.
    sizes
        Trials of each part, in order.
    """
    condition = stimuli.condition
    names = labels.conditions["name"].astype(str).to_numpy()

    def place(number: int) -> str:
        return _place(int(np.flatnonzero(video == number)[0]), sizes)

    first: dict[str, int] = {}
    for number, film in enumerate(stimuli.videos):
        other = first.setdefault(digest(film), number)
        if condition[other] != condition[number]:
            raise InputError(
                f"recording.labels: {place(other)} ('{names[condition[other]]}') and "
                f"{place(number)} ('{names[condition[number]]}') show the same video; see "
                "recording.order, or label the trials (PART_condition, CSV)"
            )
    parts = {s.name: slice(s.start, s.stop) for s in stimuli.segments}
    for attribute, segment in (("cue", "cue"), ("colour", "stimulus")):
        if attribute not in labels.conditions or segment not in parts:
            continue
        shown = [_seen(film[parts[segment]], attribute) for film in stimuli.videos]
        value = labels.conditions[attribute].astype(str).to_numpy()[condition]
        wrong = _odd_one_out(np.stack(shown), value)
        if wrong is not None:
            number, like = wrong
            raise InputError(
                f"recording.labels: {place(number)} is labelled {attribute} '{value[number]}', but "
                f"its video looks like '{like}'; see recording.order (outer, arranged), or label "
                "the trials (PART_condition, CSV)"
            )


def _place(row: int, sizes: Mapping[str, int]) -> str:
    """Name a trial by its part and its number there."""
    for part in PARTS:
        if row < sizes.get(part, 0):
            return f"{part} trial {row}"
        row -= sizes.get(part, 0)
    raise AssertionError("no such trial")


def _seen(frames: np.ndarray, attribute: str) -> np.ndarray:
    """What frames (T, C, H, W) show of an attribute, in [0, 1]: a mean frame, or a mean colour."""
    mean = frames.mean(axis=0, dtype=float) / 255
    return mean.ravel() if attribute == "cue" else mean.mean(axis=(1, 2))


def _odd_one_out(seen: np.ndarray, value: np.ndarray) -> tuple[int, str] | None:
    """Find a video nearer to the mean of another value than to the others of its own."""
    values, of = np.unique(value, return_inverse=True)
    number = np.bincount(of)
    total = np.zeros((len(values), seen.shape[1]))
    np.add.at(total, of, seen)
    for row, own in enumerate(of):
        if number[own] < 2:
            continue
        mean = total / number[:, None]
        mean[own] = (total[own] - seen[row]) / (number[own] - 1)
        distance = ((mean - seen[row]) ** 2).mean(axis=1)
        if distance[own] > distance.min() + _SAME:
            return row, str(values[distance.argmin()])
    return None
