"""Plain NumPy arrays, described by a small YAML file.

``FILE.yaml`` beside ``FILE.npz``, or a YAML file that names ``.npy`` files in its folder; the
keys are documented in docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import yaml

from mua_decode.files import sha256
from mua_decode.limits import check_length, check_memory, check_packed, check_yaml
from mua_decode.recordings.files import check_text, load_csv, load_npy, named, reading
from mua_decode.recordings.sites import numbered, site_table
from mua_decode.recordings.videos import as_bytes, cut_segments
from mua_decode.types import InputError, Recording, Session, StimulusSet, nearest_name

_SESSION_KEYS = [
    *("name", "subject", "counts", "condition", "region", "site_id", "trials"),
    *("bin_s", "window_s", "measure"),
]
_STIMULI_KEYS = ["videos", "condition", "conditions", "names", "frame_s", "segments"]
_TOP_KEYS = ("name", "arrays", "sessions", "stimuli", "notes")


def read_arrays(path: str | None) -> Recording:
    """Read arrays as a YAML file describes them; ``path`` is it, or the ``.npz`` beside it."""
    if not path:
        raise InputError("recording.path is not set; give the YAML file: recording.path=FILE.yaml")
    source = Path(path).expanduser()
    source = source.with_suffix(".yaml") if source.suffix == ".npz" else source
    with reading(source):
        described = _described(source)
        arrays = NamedArrays(source, described)
        stimuli = _stimuli(described["stimuli"], arrays)
        sessions = [
            _session(_keys(entry, _SESSION_KEYS, f"{source}: sessions[{number}]"), arrays, stimuli)
            for number, entry in enumerate(described["sessions"])
        ]
        notes = described.get("notes") or []
        return Recording(
            name=str(described.get("name", source.stem)),
            sessions=tuple(sessions),
            stimuli=stimuli,
            provenance={"reader": "arrays", "sha256": {source.name: sha256([source])}},
            notes=tuple(str(n) for n in ([notes] if isinstance(notes, str) else notes)),
        )


def read_stimuli(path: str) -> StimulusSet:
    """Read the section ``stimuli`` of a YAML file as :func:`read_arrays` has it, and nothing else.

    So the trials of another reader can be matched to it.
    """
    source = Path(path).expanduser()
    with reading(source):
        described = _described(source, needs=("stimuli",))
        return _stimuli(described["stimuli"], NamedArrays(source, described))


def _described(source: Path, *, needs: tuple[str, ...] = ("sessions", "stimuli")) -> dict[str, Any]:
    if not source.is_file():
        raise InputError(f"no such file: {source} (arrays need a YAML file that describes them)")
    try:
        check_length(source.stat().st_size, source)
        text = source.read_text(encoding="utf-8")
        check_yaml(text, source)
        found = yaml.safe_load(text)
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{source}: is not YAML") from error
    described = _keys(found, _TOP_KEYS, str(source))
    for name in needs:
        kind = list if name == "sessions" else dict
        if not isinstance(described.get(name), kind) or not described[name]:
            raise InputError(f"{source}: needs '{name}', a {kind.__name__}")
    described["stimuli"] = _keys(described["stimuli"], _STIMULI_KEYS, f"{source}: stimuli")
    return described


def _keys(found: Any, known: Any, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise InputError(f"{where}: expected keys and values, found {type(found).__name__}")
    for key in found:
        if key not in known:
            raise InputError(
                f"{where}: '{key}' is not known{nearest_name(str(key), known)}; "
                f"known: {', '.join(known)}"
            )
    return dict(found)


class NamedArrays:
    """The arrays a YAML file names: entries of one ``.npz``, or ``.npy`` files in its folder."""

    def __init__(self, source: Path, described: Mapping[str, Any]) -> None:
        self.source = source
        self._archive = source.parent / str(described.get("arrays") or f"{source.stem}.npz")
        self._packed: Any = {}
        if self._archive.is_file():
            try:
                self._packed = np.load(self._archive, allow_pickle=False)
                self._packed.files  # noqa: B018
            except (ValueError, OSError, EOFError, AttributeError, BadZipFile) as error:
                raise InputError(f"{self._archive}: is damaged or not a .npz archive") from error
        elif "arrays" in described:
            raise InputError(f"{self.source}: arrays: no such file: {self._archive}")

    def get(self, given: Any, key: str) -> np.ndarray:
        """Return the array a value names, or the list it is."""
        where = f"{self.source}: {key}"
        if isinstance(given, list):
            return np.asarray(given)
        if not isinstance(given, str):
            raise InputError(f"{where}: expected the name of an array, or a list, found {given}")
        if given in list(self._packed):
            try:
                about = self._packed.zip.getinfo(self._entry(given))
                where = f"{self._archive}: {given}"
                check_memory(about.file_size, where)
                check_packed(about.file_size, about.compress_size, where)
                found = np.asarray(self._packed[given])
                check_text(found, where)
                return found
            except InputError:
                raise
            except Exception as error:  # zip and NumPy raise many kinds
                reason = "is damaged"
                if "allow_pickle" in str(error) or "Object arrays" in str(error):
                    reason = "holds Python objects, which could run code; expected numbers or text"
                raise InputError(f"{self._archive}: {given}: refused, it {reason}") from error
        if (self.source.parent / given).is_file():
            return load_npy(self.source.parent / given, lazily=True)
        known = [*self._packed, *(p.name for p in self.source.parent.glob("*.npy"))]
        raise InputError(f"{where}: no array '{given}'{nearest_name(given, known)}")

    def __contains__(self, name: object) -> bool:
        return name in list(self._packed)

    def _entry(self, name: str) -> str:
        """Name of an array's file in the archive."""
        return name if name in self._packed.zip.namelist() else f"{name}.npy"


def _stimuli(given: Mapping[str, Any], arrays: NamedArrays) -> StimulusSet:
    where = f"{arrays.source}: stimuli"
    videos = arrays.get(given.get("videos"), "stimuli.videos")
    if videos.ndim in (3, 4):  # stills (V, H, W) or (V, C, H, W): videos of one frame
        videos = videos[:, None] if videos.ndim == 4 else videos[:, None, None]
    if videos.ndim != 5:
        raise InputError(f"{where}.videos: expected (V, T, C, H, W), found {videos.shape}")
    videos = as_bytes(videos, f"{where}.videos")
    condition = np.arange(len(videos))
    if "condition" in given:
        labels = arrays.get(given["condition"], "stimuli.condition")
        condition = _whole(labels, f"{where}.condition")
    table = _table(given.get("conditions"), arrays, "stimuli.conditions")
    if "names" in given:
        table = (pd.DataFrame() if table is None else table).assign(
            name=arrays.get(given["names"], "stimuli.names").astype(str)
        )
    if table is None:
        table = pd.DataFrame({"name": [f"condition{k:04d}" for k in range(condition.max() + 1)]})
    segments = cut_segments(given.get("segments"), videos.shape[1], f"{where}.segments")
    with named(where):
        return StimulusSet(videos, condition, table, segments, _seconds(given, "frame_s", where))


def _session(given: Mapping[str, Any], arrays: NamedArrays, stimuli: StimulusSet) -> Session:
    name = str(given.get("name", "session"))
    where = f"{arrays.source}: session '{name}'"
    for key in ("counts", "condition", "region"):
        if key not in given:
            raise InputError(f"{where}: needs '{key}'")
    counts = arrays.get(given["counts"], "counts")
    if counts.ndim == 2:  # one response per site: a single bin
        counts = counts[:, None]
    if counts.ndim != 3:
        raise InputError(f"{where}: counts must be (trials, bins, sites), found {counts.shape}")
    n_sites = counts.shape[2]
    condition = _whole(arrays.get(given["condition"], "condition"), f"{where}: condition")
    if len(condition) != len(counts):
        raise InputError(f"{where}: counts have {len(counts)} trials, condition {len(condition)}")
    table = _table(given.get("trials"), arrays, "trials")
    trials = pd.DataFrame({"condition": condition})
    if table is not None:
        if len(table) != len(trials):
            raise InputError(f"{where}: trials has {len(table)} rows, counts {len(trials)} trials")
        trials = pd.concat([trials, table.drop(columns="condition", errors="ignore")], axis=1)
    given = {"site_id": numbered(name, n_sites), "subject": ["unknown"] * n_sites, **given}
    region = _per_site(given, "region", arrays, n_sites, where)
    bin_s = _seconds(given, "bin_s", where, default=stimuli.frame_s)
    with named(arrays.source):
        ids, subject = (
            _per_site(given, key, arrays, n_sites, where) for key in ("site_id", "subject")
        )
        return Session(
            name=name,
            sites=site_table(name, ids, region=region, subject=subject),
            trials=trials,
            counts=counts,
            bin_s=bin_s,
            window_s=_seconds(given, "window_s", where, default=bin_s),
            measure=str(given.get("measure", "counts")),
        )


def _per_site(
    given: Mapping[str, Any], key: str, arrays: NamedArrays, n_sites: int, where: str
) -> np.ndarray:
    """One label per site; a single name that is no array stands for all sites."""
    name = given[key]
    try:
        labels = arrays.get(name, key).astype(str)
    except InputError:
        if not isinstance(name, str) or name.endswith(".npy"):
            raise
        labels = np.full(n_sites, name)
    if labels.shape != (n_sites,):
        raise InputError(f"{where}: {key} must be ({n_sites},), one per site, found {labels.shape}")
    return labels


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    if values.ndim != 1 or values.dtype.kind not in "iu" or not len(values):
        raise InputError(f"{where}: expected whole numbers, found {values.dtype} {values.shape}")
    return values.astype(np.int64)


def _seconds(
    given: Mapping[str, Any], key: str, where: str, *, default: float | None = None
) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: {key} must be seconds, found {value}")
    return float(value)


def _table(given: Any, arrays: NamedArrays, key: str) -> pd.DataFrame | None:
    """A CSV file beside the YAML, a list of rows, or columns."""
    if given is None:
        return None
    if isinstance(given, str):
        path = arrays.source.parent / given
        if not path.is_file():
            raise InputError(f"{arrays.source}: {key}: no such file: {path}")
        return load_csv(path)
    with named(f"{arrays.source}: {key}: is not a table", ValueError, TypeError):
        return pd.DataFrame(given)
