"""All runs of a folder on one page: scores to sort by, the options they differ in, thumbnails."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pandas as pd

from mua_decode.report import Films, Headline, RunTable, Section, write_page
from mua_decode.report.encoding import as_bytes
from mua_decode.runs.fingerprint import flat_config
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.page import PAGE, write_run_page
from mua_decode.runs.stored_files import cut, stored_config, stored_films, stored_json
from mua_decode.scoring.chance import known_number
from mua_decode.scoring.standing import Standing
from mua_decode.types import InputError

INDEX = "index.html"
_MOST_RUNS, _DEEPEST = 1000, 4
_SCORES = ("identification", "pixel_correlation", "ssim", "mse")
# Say where a run lies or who is told of it, not what it is.
_PLACE = ("run_dir", "out_dir", "ckpt_path", "name", "trusted", "logger", "figures", "watch")
_MOST_OPTIONS = 30
_FRAMES, _SIDE = 6, 32  # of a thumbnail


@dataclass(frozen=True, eq=False)
class _Found:
    folder: RunFolder
    flat: Mapping[str, Any]
    options: Mapping[str, Any]


def write_index(root: Path, *, pages: bool = True) -> Path:
    """Write ``index.html`` over all runs in a folder, at most four folders deep.

    Parameters
    ----------
    pages
        Whether to write the page of every finished run that has none.

    Raises InputError if there is no such folder, no run in it, or the page cannot be written.
    """
    if not root.is_dir():
        raise InputError(f"run_dir: there is no folder {root}")
    places = list(itertools.islice(_runs(root), _MOST_RUNS + 1))
    if not places:
        raise InputError(f"run_dir: {root} holds no run (no config.yaml in it or in its folders)")
    found = [_read(RunFolder(place)) for place in places[:_MOST_RUNS]]
    bare = [f.folder.path for f in found if f.flat and not (f.folder.path / PAGE).is_file()]
    for path in bare if pages else ():
        write_run_page(path)
    differ = _differing([f.options for f in found])
    standings = [Standing.read(f.folder.metrics) for f in found]
    warned = [_warned(f, s) for f, s in zip(found, standings, strict=True)]
    text = [f"{len(found)} runs. A click on a heading sorts; a name opens the page of its run."]
    if len(places) > _MOST_RUNS:
        text.append(f"There are more: the first {_MOST_RUNS} are shown.")
    if len(differ) == _MOST_OPTIONS:
        text.append(f"They differ in more options than these {_MOST_OPTIONS}.")
    rows = [_row(f, s, root, differ) for f, s in zip(found, standings, strict=True)]
    table = RunTable(
        cut(pd.DataFrame(rows)),
        [_address(f.folder, root) for f in found],
        [_thumbnail(stored_films(f.folder)) for f in found],
        [bool(w) for w in warned],
    )
    counts = Counter(word for words in warned for word in words)
    said = ", ".join(f"{n} {word}" for word, n in counts.items())
    lines = [Headline("Runs from which nothing is to be concluded are shaded.", "warning", said)]
    return write_page(
        root / INDEX,
        [Section("Runs", text, runs=table)],
        title=f"Runs in {root.resolve().name}",
        footer="scores of single trials; every number: metrics.json of the run",
        headlines=lines if counts else [],
    )


def _runs(root: Path, depth: int = 0) -> Iterator[Path]:
    """Folders that hold the config of a run, by name; links are not followed."""
    if (root / "config.yaml").is_file():
        yield root
    if depth >= _DEEPEST:
        return
    try:
        with os.scandir(root) as entries:
            inside = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in inside:
        if not name.startswith(".") and name not in ("checkpoints", "figures", "masks"):
            yield from _runs(root / name, depth + 1)


def _read(folder: RunFolder) -> _Found:
    config = stored_config(folder)
    try:
        options = flat_config({k: v for k, v in config.items() if k not in _PLACE})
    except (RecursionError, AttributeError):
        options = {}
    return _Found(folder, stored_json(folder.metrics), options)


def _differing(options: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for o in options for name in o)
    found = (n for n in names if len({repr(o.get(n, "")) for o in options}) > 1)
    return list(itertools.islice(found, _MOST_OPTIONS))


def _row(
    found: _Found, standing: Standing | None, root: Path, differ: Sequence[str]
) -> dict[str, Any]:
    flat, path = found.flat, found.folder.path
    part = next((p for p in ("test", "val") if f"{p}/single_trial/mse" in flat), "test")
    if standing is not None:
        part = standing.part
    row: dict[str, Any] = {
        "run": str(path.relative_to(root)) if path != root else ".",
        "made": f"{datetime.fromtimestamp(found.folder.config.stat().st_mtime):%Y-%m-%d %H:%M}",
    }
    row["chance"] = _beside_chance(found, standing)
    row["floors"] = "unknown"
    if standing is not None and standing.compared:
        row["floors"] = "below" if standing.below else "above"
    for metric in _SCORES:
        value = known_number(flat.get(f"{part}/single_trial/{metric}"))
        row[metric] = np.nan if value is None else value
    row["leaks"] = {"True": "leaking", "False": "free"}.get(str(flat.get("leaking")), "unknown")
    options = {name: found.options.get(name, "") for name in differ}
    return row | {k: str(v) if known_number(v) is None else v for k, v in options.items()}


def _warned(found: _Found, standing: Standing | None) -> list[str]:
    """What forbids conclusions from a run, by a word or two."""
    if not found.flat:
        return ["without scores"]
    return [] if standing is None else list(standing.warnings)


def _beside_chance(found: _Found, standing: Standing | None) -> str:
    if not found.flat:
        return "no scores: not finished"
    if standing is None or standing.chance is None:
        return "unknown"
    if standing.stand_in:
        return "stand-in videos"
    return "above" if standing.chance.above else "not above"


def _address(folder: RunFolder, root: Path) -> str:
    """Relative address of a run's page; it begins with ``./``, so that no name is a scheme."""
    page = folder.path / PAGE
    return "./" + quote(page.relative_to(root).as_posix()) if page.is_file() else ""


def _thumbnail(films: Films | None) -> bytes:
    """A PNG of a few true frames above the decoded ones, of the middle condition."""
    if films is None:
        return b""
    kept = [v[len(films.conditions) // 2] for v in list(films.rows.values())[:2]]
    strips = []
    for video in map(as_bytes, kept):  # (T, C, H, W)
        times = np.linspace(0, len(video) - 1, _FRAMES).round().astype(int)
        colour = np.broadcast_to(video, (len(video), 3, *video.shape[2:]))[times]
        frames = [np.ascontiguousarray(f.transpose(1, 2, 0)) for f in colour]
        strips.append(np.hstack([cv2.resize(f, (_SIDE, _SIDE)) for f in frames]))
    return cv2.imencode(".png", np.vstack(strips)[..., ::-1])[1].tobytes()
