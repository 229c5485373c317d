"""What lies in a folder: half files, partial files, and in what two folders differ."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as iio
import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image

from mua_decode.recordings.nwb import read_nwb
from mua_decode.recordings.seal import check_seal
from mua_decode.runs.build import load_checkpoint
from mua_decode.runs.checkpoints import reads_back
from mua_decode.sweep.study import SharedStudy

_TIMES = ("second", "minute", "time", "duration", "_at", "started", "datetime", "_per_s")
_NO_RESULT = {".lock", "log.txt", "sweep.yaml"}


def final_files(folder: Path) -> list[Path]:
    """Files under the names they keep."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )


def partials(folder: Path) -> list[str]:
    """What was left half written, under names that say so."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*.partial*"))


def half_files(folder: Path) -> list[str]:
    """Files with a final name that cannot be read to their end."""
    return [f"{p.relative_to(folder)} is half: {e}" for p in final_files(folder) if (e := _half(p))]


def _half(path: Path) -> str | None:
    try:
        _parse(path)
    except FileNotFoundError:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return None


def _parse(path: Path) -> None:
    suffix = path.suffix
    if suffix in (".json", ".yaml", ".csv", ".html", ".md", ".txt") and path.name != "log.txt":
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n") and suffix not in (".html", ".md", ".txt"):
            raise ValueError("does not end with a line")
        if suffix == ".json":
            json.loads(text)
        elif suffix == ".yaml":
            assert yaml.safe_load(text)
        elif suffix == ".csv":
            pd.read_csv(path)
        elif suffix == ".html":
            assert "</html>" in text[-200:], "no end"
    elif suffix == ".ckpt":
        assert reads_back(path), "does not read back"
    elif suffix in (".png", ".gif"):
        with Image.open(path) as image:
            image.load()
    elif suffix == ".mp4":
        assert sum(1 for _ in iio.imiter(path, plugin="FFMPEG")) > 1, "no frames"
    elif suffix == ".h5":
        assert check_seal(path), "no seal"
    elif suffix == ".nwb":
        with h5py.File(path, "r") as file:
            assert "nwb_version" in file.attrs
    elif suffix in (".npy", ".npz"):
        np.load(path, allow_pickle=False)
    elif suffix == ".db":
        with tempfile.TemporaryDirectory() as copy:
            for part in path.parent.glob(f"{path.name}*"):
                shutil.copy(part, copy)
            with sqlite3.connect(Path(copy) / path.name) as database:
                found = database.execute("pragma integrity_check").fetchall()
        assert found == [("ok",)], found


def differences(one: Path, two: Path) -> list[str]:
    """In what the results in two folders differ, times and logs aside."""
    if one.is_file():
        return _different(one, two)
    names = [{str(p.relative_to(f)) for p in final_files(f)} for f in (one, two)]
    names = [{n for n in found if Path(n).name not in _NO_RESULT} for found in names]
    names = [{n for n in found if not n.startswith("workers")} for found in names]
    # Caches of masks are named after the bytes of a checkpoint, which tells how long epochs took.
    kept = [
        sorted(_content(f / n) for n in k if "/masks/" in n)
        for f, k in zip((one, two), names, strict=True)
    ]
    names = [{n for n in found if "/masks/" not in n} for found in names]
    found = ["masks differ"] if kept[0] != kept[1] else []
    found += [f"{n} is missing" for n in sorted(names[0] - names[1])]
    found += [f"{n} is too much" for n in sorted(names[1] - names[0])]
    for name in sorted(names[0] & names[1]):
        found += [f"{name}: {d}" for d in _different(one / name, two / name)]
    return found


def _different(one: Path, two: Path) -> list[str]:
    if not two.is_file():
        return ["is missing"]
    if one.suffix == ".csv":
        return _tables(one, two)
    if one.suffix == ".json":
        trees = [json.loads(p.read_text()) for p in (one, two)]
        return _trees(*(_not_how(tree) for tree in trees), "")
    if one.suffix == ".yaml":
        trees = [yaml.safe_load(p.read_text()) for p in (one, two)]
        return _trees(*(_not_how(tree) for tree in trees), "")
    if one.suffix == ".ckpt":
        return _weights(one, two)
    if one.suffix == ".nwb":  # which says when it was written
        return [] if read_nwb(str(one)).checksum == read_nwb(str(two)).checksum else ["differs"]
    if one.suffix == ".db":
        return _studies(one, two)
    if one.suffix in (".html", ".md"):  # which say how long it took
        return []
    if one.read_bytes() != two.read_bytes():
        return ["differs in its bytes"]
    return []


def _not_how(tree: Any) -> Any:
    """A stored config or command, less how it was gone on with."""
    if isinstance(tree, dict):
        tree.pop("ckpt_path", None)
        said = tree.get("command")
        if isinstance(said, list):
            tree["command"] = [a for a in said if not str(a).startswith("ckpt_path=")]
    return tree


def _content(path: Path) -> str:
    """What the arrays of a file hold, as text."""
    with np.load(path) as arrays:
        texts = [f"{n} {arrays[n].dtype} {arrays[n].tobytes().hex()}" for n in sorted(arrays)]
    return hashlib.sha256(" ".join(texts).encode()).hexdigest()


def _timed(name: object) -> bool:
    return any(word in str(name) for word in _TIMES)


def _tables(one: Path, two: Path) -> list[str]:
    frames = [pd.read_csv(p, dtype=str, keep_default_na=False) for p in (one, two)]
    skipped = {"file", "worker", "attempts"}
    frames = [f[[c for c in f.columns if not _timed(c) and c not in skipped]] for f in frames]
    if frames[0].equals(frames[1]):
        return []
    if frames[0].shape != frames[1].shape or list(frames[0]) != list(frames[1]):
        return [f"is {frames[1].shape}, not {frames[0].shape}"]
    column = next(c for c in frames[0] if not frames[0][c].equals(frames[1][c]))
    return [f"differs in '{column}'"]


def _trees(one: Any, two: Any, name: str) -> list[str]:
    if isinstance(one, dict) and isinstance(two, dict):
        found = []
        for key in sorted(set(one) | set(two)):
            if not _timed(key):
                inside = f"{name}.{key}" if name else key
                found += _trees(one.get(key), two.get(key), inside)
        return found
    return [] if one == two or (one != one and two != two) else [f"{name}: {two}, not {one}"]


def _weights(one: Path, two: Path) -> list[str]:
    states = [load_checkpoint(p) for p in (one, two)]
    weights = [s["state_dict"] for s in states]
    if list(weights[0]) != list(weights[1]):
        return ["holds other weights"]
    found = [k for k in weights[0] if not torch.equal(weights[0][k], weights[1][k])]
    found += [k for k in ("epoch", "global_step") if states[0].get(k) != states[1].get(k)]
    return [f"differs in {found[:3]}"] if found else []


def _studies(one: Path, two: Path) -> list[str]:
    import optuna

    def trials(path: Path) -> list[Any]:
        with tempfile.TemporaryDirectory() as copy:
            shutil.copy(path, copy)
            url = f"sqlite:///{copy}/{path.name}"
            study = optuna.load_study(study_name=None, storage=url)
            shared = SharedStudy.__new__(SharedStudy)
            shared.study = study

            class Plan:
                n_trials = 10**6

            shared.plan = Plan()  # type: ignore[assignment]
            return [
                (s.number, s.trial.state.name, s.trial.params, s.trial.value, s.failed)
                for s in shared.slots()
                # Of two that lay out the trials at once one may lay out more; they are left.
                if s.trial.state.name != "WAITING" or s.attempts > 1
            ]

    return [] if trials(one) == trials(two) else [f"{trials(two)}, not {trials(one)}"[:400]]
