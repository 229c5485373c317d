"""Macaque V4 responses to single images, in the layout the authors publish.

Cowley, Stan, Pillow, Smith, "Compact deep neural network models of visual cortex", repository
V4_compact_models. One session is a zip of JPEGs and an array of responses.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from mua_decode.files import sha256
from mua_decode.limits import check_memory
from mua_decode.recordings.files import existing_folder, load_npy, reading
from mua_decode.recordings.pictures import check_picture
from mua_decode.recordings.sites import numbered, site_table
from mua_decode.recordings.videos import resize
from mua_decode.types import InputError, Recording, Segment, Session, StimulusSet, nearest_name

_BIN_S = 0.1
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# A session's folder of responses; single trials first: only they say how reliable a site is.
_RESPONSES = ("responses_raw", "responses_repeat_averaged", "responses_repeataveraged", "")


def read_v4_images(
    root: str | None,
    *,
    session: str | int | None,
    frame_size: int | None = None,
    trials: str = "auto",
) -> Recording:
    """Read ``images_SESSION.zip`` and ``responses_SESSION.npy``.

    The files lie in ``root`` itself or, as published, in ``images/`` and ``responses_raw/`` or
    ``responses_repeat_averaged/``. Response i belongs to the i-th image in name order; names in
    the zip may sit in a folder. Every image is a condition, a video of one frame (T = 1).

    Parameters
    ----------
    session
        For example 201025.
    frame_size
        Height and width in pixels after area resampling; ``None`` keeps the size of the files.
    trials
        ``"raw"``: single trials, spike counts in 100 ms. ``"averaged"``: one averaged response
        per image, so no noise ceiling can be known. ``"auto"``: single trials if they are there.
    """
    folder = existing_folder(root, "recording.root")
    if trials not in ("auto", "raw", "averaged"):
        raise InputError(f"recording.trials must be auto, raw or averaged, found '{trials}'")
    name, archive = _archive(folder, session)
    source = _responses_file(folder, name, trials)
    with reading(folder):
        names, images = _read_images(archive, frame_size)
        responses = _read_responses(source)
        if responses.shape[1] != len(images):
            raise InputError(
                f"{archive.name} holds {len(images)} images but {source.name} has responses to "
                f"{responses.shape[1]}; they must be of one session"
            )
        stimuli = StimulusSet(
            videos=images[:, None],
            condition=np.arange(len(images)),
            conditions=pd.DataFrame({"name": names}),
            segments=(Segment("image", 0, 1),),
            frame_s=_BIN_S,
        )
        averages = (
            f"session {name}: responses are averages over repeats; single trials, and with them "
            "the noise ceiling, are not known"
        )
        return Recording(
            name=f"v4_images_{name}",
            sessions=(_session(name, responses),),
            stimuli=stimuli,
            provenance={
                "reader": "v4_images",
                "source": "Cowley, Stan, Pillow, Smith: V4_compact_models",
                "terms": "research data; redistribution terms not stated by the authors",
                "sha256": {p.name: sha256([p]) for p in (archive, source)},
            },
            notes=(averages,) if responses.ndim == 2 else (),
        )


def _archive(folder: Path, session: str | int | None) -> tuple[str, Path]:
    found = {
        p.stem.removeprefix("images_"): p
        for where in (folder / "images", folder)
        for p in sorted(where.glob("images_*.zip"))
    }
    if not found:
        raise InputError(f"recording.root: {folder} holds no images_SESSION.zip")
    known = ", ".join(sorted(found))
    if session is None:
        raise InputError(f"recording.session is not set; choose from: {known}")
    name = str(session)
    if name not in found:
        raise InputError(
            f"recording.session={name}: no images_{name}.zip in {folder}"
            f"{nearest_name(name, found)}; found: {known}"
        )
    return name, found[name]


def _responses_file(folder: Path, name: str, trials: str) -> Path:
    wanted = {"raw": _RESPONSES[:1], "averaged": _RESPONSES[1:], "auto": _RESPONSES}[trials]
    places = [folder / sub / f"responses_{name}.npy" for sub in (*wanted, "")]
    for path in places:
        if path.is_file():
            return path
    looked = ", ".join(dict.fromkeys(str(p.relative_to(folder)) for p in places))
    raise InputError(f"{folder}: no responses of session {name} (looked for {looked})")


def _read_images(archive: Path, size: int | None) -> tuple[list[str], np.ndarray]:
    """Return names and uint8 RGB images (K, 3, H, W) in name order."""
    if size is not None and size < 2:
        raise InputError(f"recording.frame_size must be at least 2 pixels, found {size}")
    try:
        with zipfile.ZipFile(archive) as file:
            entries = [e for e in file.namelist() if _is_image(e)]
            entries.sort(key=lambda e: _natural(Path(e).name))
            images, n_bytes = [], 0
            for entry in entries:
                images.append(_decode(_unpacked(file, entry), f"{archive.name}: {entry}", size))
                n_bytes += images[-1].nbytes
                check_memory(2 * n_bytes, f"{archive}: the first {len(images)} images")
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError) as error:
        raise InputError(f"{archive}: is damaged or not a zip file") from error
    if not images:
        raise InputError(f"{archive}: holds no image")
    shapes = sorted({i.shape for i in images})
    if len(shapes) > 1:
        raise InputError(f"{archive}: images differ in size: {shapes[0][1:]} and {shapes[1][1:]}")
    return [Path(e).stem for e in entries], np.stack(images)


def _unpacked(file: zipfile.ZipFile, entry: str) -> bytes:
    about = file.getinfo(entry)
    # A picture is packed already; what deflate makes of it is as large.
    if about.file_size > 2 * about.compress_size + (1 << 20):
        raise InputError(
            f"{file.filename}: {entry}: declares {about.file_size} bytes in "
            f"{about.compress_size}; refused, no picture is packed so tightly"
        )
    return file.read(entry)


def _is_image(entry: str) -> bool:
    path = Path(entry)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in _IMAGE_SUFFIXES and not hidden


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts image2 before image10, and equals name order for padded numbers."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", name) if p]


def _decode(data: bytes, where: str, size: int | None) -> np.ndarray:
    check_picture(data, where)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{where}: is not a readable image")
    return np.ascontiguousarray(resize(image, size)[:, :, ::-1].transpose(2, 0, 1), np.uint8)


def _read_responses(path: Path) -> np.ndarray:
    """Return (N, K) averages or (N, K, R) single trials."""
    responses = load_npy(path)
    if responses.ndim not in (2, 3) or responses.dtype.kind not in "uif" or not responses.size:
        raise InputError(
            f"{path}: must be numbers (sites, images) or (sites, images, repeats), "
            f"found {responses.dtype} {responses.shape}"
        )
    return np.asarray(responses, np.float32)


def _session(name: str, responses: np.ndarray) -> Session:
    n_sites, n_images = responses.shape[:2]
    trials = responses.reshape(n_sites, n_images, -1)  # one trial per image if averaged
    image, repeat = np.divmod(np.arange(n_images * trials.shape[2]), trials.shape[2])
    counts = trials.reshape(n_sites, -1).T
    usable = ~np.isnan(counts).all(axis=1)
    table = pd.DataFrame({"condition": image, "repeat": repeat})
    table["averaged"] = responses.ndim == 2
    ids = numbered(name, n_sites, first=0)
    return Session(
        name=name,
        sites=site_table(name, ids, region="V4", subject=_subject(name)),
        trials=table[usable].reset_index(drop=True),
        counts=counts[usable][:, None],
        bin_s=_BIN_S,
        window_s=_BIN_S,
    )


def _subject(session: str) -> str:
    """Animal by date, from the authors' table of sessions."""
    if not session.isdigit():
        return "unknown"
    date = int(session)
    return "WE" if date < 200000 else "PE" if date < 210400 else "RA"
