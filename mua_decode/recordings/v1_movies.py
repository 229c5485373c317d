"""Macaque V1 movie recordings of Hénaff et al. 2021, in their published layout.

Hénaff, Bai, Charlton, Nauhaus, Simoncelli, Goris, "Primary visual cortex straightens natural
video trajectories", Nature Communications 2021, doi 10.1038/s41467-021-25939-z.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mua_decode.files import sha256
from mua_decode.recordings.files import existing_folder, open_hdf5, reading, require_numbers
from mua_decode.recordings.pictures import check_picture
from mua_decode.recordings.sites import numbered, site_table
from mua_decode.recordings.videos import resize
from mua_decode.types import InputError, Recording, Segment, Session, StimulusSet, nearest_name

_SUFFIX = "_image_sequences.mat"
_SCALES = ("zoom1x", "zoom2x")
_CATEGORIES = ("natural", "synthetic")
_N_FRAMES = 11


def read_v1_movies(
    root: str | None, *, sessions: Sequence[str] | None = None, frame_size: int = 32
) -> Recording:
    """Read ``V1_responses/SESSION_image_sequences.mat`` and the PNG frames beside them.

    A condition is one movie of one category at one scale; a trial is one repeat of it. Natural
    and synthetic versions of a movie share their first and last frame *and the responses to
    them*, so equal repeats of both carry the same ``presentation`` label and are never divided
    between training and test.

    Parameters
    ----------
    root
        Folder that holds ``V1_responses`` and ``images``.
    sessions
        Session names such as ``ay2_u003``; ``None`` reads all.
    frame_size
        Height and width of the frames in pixels after area resampling.
    """
    folder = existing_folder(root, "recording.root")
    if not isinstance(frame_size, int) or not 2 <= frame_size <= 1024:
        raise InputError(f"recording.frame_size: expected 2 to 1024 pixels, found {frame_size}")
    with reading(folder):
        files = _session_files(folder, sessions)
        stimuli, frame_files = _read_stimuli(folder, frame_size)
        read = [_read_session(name, path) for name, path in files.items()]
        return Recording(
            name="v1_movies",
            sessions=tuple(session for session, _ in read),
            stimuli=stimuli,
            provenance={
                "reader": "v1_movies",
                "source": "doi 10.1038/s41467-021-25939-z",
                "terms": "research data; redistribution terms not stated by the authors",
                "sha256": {
                    **{path.name: sha256([path]) for path in files.values()},
                    "frames": sha256(frame_files),
                },
            },
            notes=tuple(
                f"session {session.name}: {missing:.1%} of site-trials not recorded (NaN)"
                for session, missing in read
            ),
        )


def _session_files(root: Path, sessions: Sequence[str] | None) -> dict[str, Path]:
    folder = existing_folder(root / "V1_responses", "recording.root")
    found = {p.name.removesuffix(_SUFFIX): p for p in sorted(folder.glob(f"*{_SUFFIX}"))}
    if not found:
        raise InputError(f"{folder}: no file named SESSION{_SUFFIX}")
    if sessions is None:
        return found
    if isinstance(sessions, str):
        sessions = [sessions]
    for name in sessions:
        if name not in found:
            raise InputError(
                f"recording.sessions: '{name}' has no file in {folder}"
                f"{nearest_name(name, found)}; found: {', '.join(found)}"
            )
    return {name: found[name] for name in sessions}


def _read_stimuli(root: Path, size: int) -> tuple[StimulusSet, list[Path]]:
    folder = existing_folder(root / "images" / "stimulus_fullfield", "recording.root")
    table = _conditions()
    files = []
    for _, scale, category, movie in table.itertuples(index=False):
        for frame in range(1, _N_FRAMES + 1):
            kept = "natural" if frame in (1, _N_FRAMES) else category  # shared by both categories
            files.append(folder / f"stimSelected-{scale}/movie{movie}/{kept}{frame:02d}.png")
    images = {path: _read_frame(path, size) for path in dict.fromkeys(files)}
    stimuli = StimulusSet(
        videos=np.stack([images[p] for p in files]).reshape(-1, _N_FRAMES, 1, size, size),
        condition=np.arange(len(table)),
        conditions=table,
        segments=(Segment("movie", 0, _N_FRAMES),),
        frame_s=0.3,
    )
    return stimuli, list(images)


def _read_frame(path: Path, size: int) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"no such frame: {path}")
    check_picture(path, path)
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise InputError(f"{path}: is not a readable image")
    return resize(image, size)


def _conditions() -> pd.DataFrame:
    """Scale, category and movie of the 40 conditions."""
    rows = list(itertools.product(_SCALES, _CATEGORIES, range(1, 11)))
    table = pd.DataFrame(rows, columns=["scale", "category", "movie"])
    table.insert(0, "name", [f"{scale}-{category}-{movie}" for scale, category, movie in rows])
    return table


def _read_session(name: str, path: Path) -> tuple[Session, float]:
    """Return a session and the share of its site-trials that were not recorded."""
    with open_hdf5(path) as file:
        struct = file.get("naturalStruct")
        responses = struct.get("sortedResponses") if hasattr(struct, "get") else None
        if responses is None:
            raise InputError(f"{path}: has no array naturalStruct/sortedResponses")
        expected = ("repeats", "units", _N_FRAMES, 10, 3, 2)
        require_numbers(responses, path)
        if responses.shape[1:2] == (0,):
            raise InputError(f"{path}: naturalStruct/sortedResponses has no unit")
        if responses.ndim != 6 or responses.shape[2:] != expected[2:]:
            raise InputError(
                f"{path}: naturalStruct/sortedResponses must be {expected}, found {responses.shape}"
            )
        counts = responses[:, :, :, :, : len(_CATEGORIES), :]
        on_s, off_s = _number(struct, "stim_on_sec", path), _number(struct, "stim_off_sec", path)
        area, monkey = _text(struct, "cortical_area", "V1"), _text(struct, "monkey_ID", name)
    n_repeats, n_units = counts.shape[:2]
    # (repeat, unit, frame, movie, category, scale) -> (scale, category, movie, repeat, frame, unit)
    counts = counts.transpose(5, 4, 3, 0, 2, 1).reshape(-1, _N_FRAMES, n_units)
    condition, repeat = np.divmod(np.arange(len(counts)), n_repeats)
    shown = _conditions().iloc[condition]
    presentation = [
        f"{scale}-{movie}-{r}"
        for scale, movie, r in zip(shown["scale"], shown["movie"], repeat, strict=True)
    ]
    trials = pd.DataFrame({"condition": condition, "repeat": repeat, "presentation": presentation})
    unrecorded = np.isnan(counts).any(axis=1)
    usable = ~unrecorded.all(axis=1)
    session = Session(
        name=name,
        sites=site_table(name, numbered(name, n_units, first=0), region=area, subject=monkey),
        trials=trials[usable].reset_index(drop=True),
        counts=counts[usable].astype(np.float32),
        bin_s=on_s + off_s,
        window_s=on_s,
    )
    return session, float(unrecorded.mean())


def _number(struct: object, key: str, path: Path) -> float:
    if key not in struct:  # type: ignore[operator]
        raise InputError(f"{path}: has no number naturalStruct/{key}")
    values = require_numbers(struct[key], path)[()].ravel()  # type: ignore[index]
    if not values.size or not np.isfinite(values[0]):
        raise InputError(f"{path}: naturalStruct/{key} holds no number")
    return float(values[0])


def _text(struct: object, key: str, default: str) -> str:
    """Read MATLAB text, stored as 16-bit character codes; the default where there is none."""
    found = struct.get(key)  # type: ignore[attr-defined]
    if getattr(found, "dtype", None) != np.uint16:
        return default
    return "".join(chr(int(c)) for c in found[()].ravel()) or default
