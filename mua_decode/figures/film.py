"""One decoded video as a film, frames alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from mua_decode.types import InputError

_SUFFIXES = (".gif", ".mp4")


def write_film(path: Path, video: np.ndarray, *, frame_s: float, least_px: int = 192) -> Path:
    """Write a video as it is, scaled up by repeating pixels, whole or not at all.

    A GIF joins equal neighbouring frames into one that is shown for longer.

    Parameters
    ----------
    path
        Ends in ``.gif`` or ``.mp4``.
    video
        Float array (C, T, H, W) in [0, 1], C = 1 (grey) or 3 (RGB); values outside are clipped.
    frame_s
        Seconds each frame is shown.
    least_px
        Smallest side of a scaled frame in pixels.

    Returns
    -------
    ``path``.

    Raises
    ------
    InputError
        If the suffix is unknown, the shape is another, or the file cannot be written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"video: {path.name} must end in {' or '.join(_SUFFIXES)}")
    if video.ndim != 4 or video.shape[0] not in (1, 3) or 0 in video.shape:
        raise InputError(f"video: expected (C, T, H, W) with C = 1 or 3, found {video.shape}")
    if not frame_s > 0:
        raise InputError(f"video: frame_s must be > 0 seconds, found {frame_s}")
    images = _images(video, least_px)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        if path.suffix.lower() == ".gif":
            iio.imwrite(partial, images, plugin="pillow", duration=1000 * frame_s, loop=0)
        else:
            h264: dict[str, Any] = {"codec": "libx264", "macro_block_size": 2, "quality": 8}
            iio.imwrite(partial, images, plugin="FFMPEG", fps=1 / frame_s, **h264)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"video: {path} cannot be written: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def _images(video: np.ndarray, least_px: int) -> np.ndarray:
    """Frames as uint8 (T, H', W', 3), pixels repeated, sides even as H.264 wants them."""
    height, width = video.shape[2:]
    scale = max(1, -(-least_px // min(height, width)))
    scale += scale % 2
    pixels = (np.clip(video, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 3, 0)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:3], 3)))
