"""What the steps of a reproduction left on disk, and what a table of the paper is."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.report.elements import NotApplicable, Picture, Section
from mua_decode.report.films import Films
from mua_decode.types import read_table, units_named, whole

Tables = Mapping[str, "PaperTable"]
"""Tables by their number."""

HEADLINE = ("identification", "ssim", "mse", "cue_shape", "colour_error", "direction_error")

TITLES = {
    "published": "published protocol (pooled, then split: LEAKS)",
    "rigorous": "rigorous protocol (recorded trials split first)",
}


@dataclass(frozen=True, eq=False)
class PaperTable:
    """A table of the paper, or the reason why this recording has none (``frame`` None).

    The name is number and file name, ``S1_cue_shape``; the title is the caption; ``step`` is where
    its numbers come from.
    """

    name: str
    title: str
    frame: pd.DataFrame | None
    reason: str = ""
    step: str = "decoder"

    @property
    def number(self) -> str:
        """``S1``."""
        return self.name.split("_")[0]


class Results:
    """The files of all steps, read as needed.

    Parameters
    ----------
    out
        Folder of the reproduction.
    published
        Values printed in the paper (conf/published).
    reasons
        Step key to the reason why it is missing.
    done
        Keys of the steps whose files may be read.
    reduced
        Step key to what its networks differ in from the published ones: ``reduced: width 8``.
    """

    def __init__(
        self,
        out: Path,
        protocols: Sequence[str],
        *,
        published: Mapping[str, Any],
        reasons: Mapping[str, str],
        done: Collection[str],
        reduced: Mapping[str, str] | None = None,
    ) -> None:
        self.out, self.protocols = out, list(protocols)
        self.published, self.reasons = published, reasons
        self._done, self._reduced = frozenset(done), reduced or {}

    def has(self, protocol: str, step: str) -> bool:
        """Whether a step was done with these settings; files of others may lie in its folder."""
        return f"{protocol}/{step}" in self._done

    def read(self, protocol: str, name: str) -> pd.DataFrame | None:
        """Read ``PROTOCOL/NAME``, a CSV file; None where it is missing or empty."""
        path = self.out / protocol / name
        if not self.has(protocol, name.split("/")[0]) or not path.is_file():
            return None
        try:
            frame = read_table(path)
        except pd.errors.EmptyDataError:
            return None
        return units_named(frame) if path.name == "results.csv" else frame

    def both(
        self, name: str, make: Callable[[pd.DataFrame], pd.DataFrame | None]
    ) -> pd.DataFrame | None:
        """Stack what ``make`` makes of a file of every protocol, with a column ``protocol``."""
        parts: list[pd.DataFrame] = []
        for protocol in self.protocols:
            frame = self.read(protocol, name)
            made = None if frame is None else make(frame)
            if made is not None and len(made):
                made.insert(0, "protocol", protocol)
                parts.append(made)
        return pd.concat(parts, ignore_index=True) if parts else None

    def table(
        self,
        name: str,
        title: str,
        file: str,
        make: Callable[[pd.DataFrame], pd.DataFrame | None] = lambda frame: frame,
        *,
        why: str = "not done",
    ) -> PaperTable:
        """Make a table of a file of every protocol; ``why`` it is missing where no step says so."""
        frame = self.both(file, make)
        step = file.split("/")[0]
        reason = "" if frame is not None else self.reason(step, why)
        return PaperTable(name, title, frame, reason, step)

    def pictures(self, step: str, name: str, caption: str) -> list[Picture]:
        """A figure that a step left in its folder, one per protocol."""
        return [
            Picture(path, f"{caption} {TITLES[protocol].capitalize()}.")
            for protocol in self.protocols
            for path in [self.out / protocol / step / "figures" / f"{name}.png"]
            if path.is_file() and self.has(protocol, step.split("/")[0])
        ]

    def reason(self, step: str, otherwise: str) -> str:
        """Why a step has no result."""
        for protocol in self.protocols:
            if f"{protocol}/{step}" in self.reasons:
                return self.reasons[f"{protocol}/{step}"]
        return otherwise

    def reduced(self, protocol: str, step: str) -> str:
        """What the networks of a step differ in from the published ones; empty: nothing."""
        return self._reduced.get(f"{protocol}/{step}", "")

    def note(self, step: str) -> str:
        """The same for all protocols, where any differs."""
        notes = {p: self.reduced(p, step) for p in self.protocols}
        if len(set(notes.values())) == 1:
            return next(iter(notes.values()))
        return "; ".join(f"{p} {note}" for p, note in notes.items() if note)

    def marked(self, table: PaperTable) -> PaperTable:
        """Say in a table's caption, and in a column beside the published values, what is reduced.

        The column ``training`` is ``as published`` where protocol and size are, and ``published
        size`` where the size alone is.
        """
        note = self.note(table.step)
        title = f"{table.title} [{note}]" if note else table.title
        if table.frame is None:
            return replace(table, title=title)
        frame = table.frame.copy()
        known = {"published": "as published"}
        said = {p: self.reduced(p, table.step) or known.get(p, "published size") for p in TITLES}
        protocol = frame.get("protocol", pd.Series(self.protocols[0], frame.index))
        last = [i for i, c in enumerate(frame.columns) if str(c).startswith("published")]
        place = last[-1] + 1 if last else frame.shape[1]
        frame.insert(place, "training", protocol.map(said))
        return replace(table, title=title, frame=frame)

    def canary(self, protocol: str) -> dict[str, Any] | None:
        """What the protocol found in noise."""
        path = self.out / protocol / "noise" / "canary.json"
        if not self.has(protocol, "noise") or not path.is_file():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def spread(values: pd.Series) -> dict[str, object]:
    """Mean, s.d. and n of the values of conditions that are defined."""
    v = values.dropna().to_numpy()
    return {
        "mean": float(v.mean()) if len(v) else np.nan,
        "sd": float(v.std(ddof=1)) if len(v) > 1 else np.nan,
        "n": len(v),
        "n_unit": "conditions",
    }


def headline_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows over all conditions, of the whole video or a metric's only segment."""
    return whole(table[table["condition"] == "all"]).reset_index(drop=True)


def beside(known: Any, name: str) -> dict[str, float]:
    """Published mean and s.d. of an entry, where the paper has one."""
    value = known.get(name) if isinstance(known, Mapping) else None
    if value is None:
        return {}
    if isinstance(value, int | float):
        return {"published": float(value)}
    return {"published": float(value[0]), "published_sd": float(value[1])}


def frames_first(videos: np.ndarray) -> np.ndarray:
    """(K, C, T, H, W) -> (K, T, C, H, W)."""
    return np.ascontiguousarray(videos.swapaxes(1, 2))


def paper_section(
    title: str,
    text: Sequence[str],
    tables: Sequence[PaperTable],
    pictures: Sequence[Picture] = (),
    films: Sequence[Films] = (),
) -> Section:
    """Section of the report after a figure of the paper; a table that is missing says why."""
    named = {f"{t.number}. {t.title}": t for t in tables}
    return Section(
        title,
        text=text,
        tables={k: _blank(t.frame) for k, t in named.items() if t.frame is not None},
        pictures=pictures,
        not_applicable=[NotApplicable(k, t.reason) for k, t in named.items() if t.frame is None],
        films=films,
    )


def _blank(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave cells empty where the paper has no value; the caption says what is reduced."""
    out = frame.copy()
    if "training" in out:
        out["training"] = out["training"].str.partition(":")[0]
    for column in (c for c in frame.columns if str(c).startswith("published")):
        out[column] = out[column].astype(object).where(out[column].notna(), "")
    return out
