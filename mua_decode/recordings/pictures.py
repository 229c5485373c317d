"""Frames of films, GIFs, arrays and pictures; headers are looked at before anything is decoded."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from mua_decode.limits import GIB, check_memory
from mua_decode.recordings.files import load_npy
from mua_decode.types import InputError

FILMS = (".mp4", ".avi", ".mov", ".mkv", ".gif")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_MOST_PIXELS = 1 << 26  # of one picture, 8192 x 8192; stimuli have hundredths of it


def check_picture(source: Path | bytes, where: object, *, called: str = "image") -> tuple[int, int]:
    """Return height and width of a picture, from its header.

    Raises InputError if it is none, or too large to be decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bound is one of ours
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        size = re.search(r"\d+(?= pixels)", str(error))
        number = f"{int(size[0]):,}" if size else "too many"
        raise InputError(
            f"{where}: declares {number} pixels; refused, above {_MOST_PIXELS:,}"
        ) from error
    except Exception as error:  # every format has its own exceptions
        raise InputError(f"{where}: is not a readable {called}") from error
    if width * height > _MOST_PIXELS:
        raise InputError(
            f"{where}: declares {width * height:,} pixels; refused, above {_MOST_PIXELS:,}"
        )
    check_memory(8 * height * width, where)  # decoded, in colour, twice
    return height, width


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a film, array, picture or folder of pictures, (H, W) or (H, W, C) RGB.

    An InputError if it is missing, cannot be read, or decodes to more than memory holds.
    """
    if path.is_dir():
        for picture in sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES):
            yield from read_frames(picture)
        return
    if not path.is_file():
        raise InputError(f"no such video: {path}")
    if path.suffix.lower() == ".npy":
        frames = load_npy(path)
        if frames.ndim not in (3, 4):
            raise InputError(f"{path}: must be (T, H, W) or (T, H, W, C), found {frames.shape}")
        yield from frames
        return
    try:
        if path.suffix.lower() in PICTURES:
            check_picture(path, path, called="video or picture")
            yield iio.imread(path)
        elif path.suffix.lower() == ".gif":
            yield from _gif_frames(path)
        else:
            yield from iio.imiter(path, plugin="FFMPEG")
    except InputError:
        raise
    except Exception as error:  # every codec has its own exceptions
        raise InputError(f"{path}: is not a readable video or picture") from error


def _gif_frames(path: Path) -> Iterator[np.ndarray]:
    """Frames of a GIF; one shown n times as long as the shortest stands for n equal frames."""
    height, width = check_picture(path, path, called="video or picture")
    with Image.open(path) as image:
        shown_ms = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            shown_ms.append(float(image.info.get("duration", 0)))
    times = _times(shown_ms, path)
    decoded = 3 * height * width * sum(times)
    if decoded > GIB:
        raise InputError(
            f"{path}: comes to {sum(times)} frames of {height} x {width}, "
            f"{decoded / GIB:.1f} GiB; refused, above 1 GiB"
        )
    check_memory(decoded, path)
    for frame, number in zip(iio.imiter(path, plugin="pillow", mode="RGB"), times, strict=True):
        for _ in range(number):
            yield frame


def _times(shown_ms: list[float], path: Path) -> list[int]:
    """How many equal frames each frame stands for."""
    shortest = min(shown_ms)
    found = []
    for duration in shown_ms:
        times = duration / shortest if shortest > 0 else 1.0
        if abs(times - round(times)) > 0.1 * times:
            raise InputError(f"{path}: frames last {duration:g} and {shortest:g} ms, not multiples")
        found.append(round(times))
    return found
