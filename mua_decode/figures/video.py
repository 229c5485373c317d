"""Films: what was shown beside what was decoded, or one decoded video alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mua_decode.figures.frames import checked_videos
from mua_decode.files import whole
from mua_decode.types import InputError, Segment

_DPI = 100
_TEXT_PX = 22  # height of a line of text
_GAP_PX = 8
_THIN = 3  # every third pixel of a film gives its colours; frames of 64 or less are larger by more
_SUFFIXES = (".gif", ".mp4")


def write_video(
    path: Path,
    true: np.ndarray,
    predicted: np.ndarray,
    *,
    names: Sequence[str],
    segments: Sequence[Segment],
    frame_s: float,
    least_px: int = 192,
) -> Path:
    """Write videos side by side, true on the left and decoded on the right, one row per video.

    Frames are scaled up by repeating pixels; time and segment are printed on every frame. The file
    appears under its name only when it is complete. Raises InputError if the suffix is unknown,
    shapes disagree, or the file cannot be written.

    Parameters
    ----------
    path
        Ends in ``.gif`` or ``.mp4``.
    true, predicted
        Float arrays (M, C, T, H, W) in [0, 1], C = 1 or 3.
    names
        M names, printed over each row.
    least_px
        Smallest side of a scaled frame in pixels.
    """
    _check(path, frame_s)
    if not path.parent.is_dir():
        raise InputError(f"video: folder {path.parent} does not exist")
    true, predicted = checked_videos(true, predicted, names)
    lines = []
    for t in range(true.shape[2]):
        segment = next((f"  {s.name}" for s in segments if s.start <= t < s.stop), "")
        lines.append(f"{t * frame_s:.2f} s{segment}")
    images = list(_images(true, predicted, names, lines, least_px))
    return _write(path, images, frame_s)


def write_film(path: Path, video: np.ndarray, *, frame_s: float, least_px: int = 192) -> Path:
    """Write a video as it is, scaled up by repeating pixels, whole or not at all.

    A GIF joins equal neighbouring frames into one that is shown for longer. Raises InputError if
    the suffix is unknown, the shape is another, or the file cannot be written.

    Parameters
    ----------
    video
        Float array (C, T, H, W) in [0, 1], C = 1 (grey) or 3 (RGB); values outside are clipped.
    path, frame_s, least_px
        As of ``write_video``.
    """
    _check(path, frame_s)
    if video.ndim != 4 or video.shape[0] not in (1, 3) or 0 in video.shape:
        raise InputError(f"video: expected (C, T, H, W) with C = 1 or 3, found {video.shape}")
    scale = max(1, -(-least_px // min(video.shape[2:])))
    scale += scale % 2  # sides even as H.264 wants them
    clipped = np.clip(video, 0, 1)
    images = [_enlarged(clipped[:, t], scale) for t in range(video.shape[1])]
    return _write(path, images, frame_s)


def _check(path: Path, frame_s: float) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"video: {path.name} must end in {' or '.join(_SUFFIXES)}")
    if not frame_s > 0:
        raise InputError(f"video: frame_s must be > 0 seconds, found {frame_s}")


def _write(path: Path, images: list[np.ndarray], frame_s: float) -> Path:
    """Encode the film's frames, each shown for ``frame_s``, by the suffix of ``path``."""
    try:
        path.parent.stat()  # no folder is made for a mistyped path
        with whole(path) as partial:
            if path.suffix.lower() == ".gif":
                partial.write_bytes(_gif(images, frame_s))
            else:
                h264: dict[str, Any] = {"codec": "libx264", "macro_block_size": 2, "quality": 8}
                iio.imwrite(partial, images, plugin="FFMPEG", fps=1 / frame_s, **h264)
    except OSError as error:
        raise InputError(f"video: {path} cannot be written: {error.strerror or error}") from None
    return path


def _gif(images: Sequence[np.ndarray], frame_s: float) -> bytes:
    """Encode frames, uint8 (height, width, 3): grey ones exactly, others in 256 colours each."""
    first, *others = [_in_256_colours(image) for image in images]
    # Pillow prints what it cannot write to a file; memory takes all of it.
    memory = io.BytesIO()
    first.save(memory, "GIF", save_all=True, append_images=others, duration=1000 * frame_s, loop=0)
    return memory.getvalue()


def _in_256_colours(image: np.ndarray) -> Image.Image:
    if (image == image[:, :, :1]).all():
        return Image.fromarray(image[:, :, 0])
    # Pixels are repeated: some of them have the colours of all, and are counted sooner.
    some = Image.fromarray(np.ascontiguousarray(image[::_THIN, ::_THIN])).quantize(256)
    return Image.fromarray(image).quantize(palette=some, dither=Image.Dither.NONE)


def _images(
    true: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    lines: Sequence[str],
    least_px: int,
) -> Iterator[np.ndarray]:
    """Yield the film's frames, uint8 (height, width, 3), sides even as H.264 wants them."""
    n_videos, _, _, height, width = true.shape
    scale = max(1, -(-least_px // min(height, width)))
    block = (scale * height, scale * width)
    total_w = 2 * block[1] + 3 * _GAP_PX
    total_w += total_w % 2
    row_h = _TEXT_PX + block[0]
    total_h = 2 * _TEXT_PX + n_videos * row_h + _GAP_PX
    total_h += total_h % 2
    columns = (_GAP_PX, 2 * _GAP_PX + block[1])
    sheet = np.full((total_h, total_w, 3), 255, np.uint8)
    centres = [x + block[1] / 2 for x in columns]
    sheet[:_TEXT_PX] = _text(zip(("true", "decoded"), centres, strict=True), total_w, "center")
    tops = [_TEXT_PX + row * row_h for row in range(n_videos)]
    for top, name in zip(tops, names, strict=True):
        sheet[top : top + _TEXT_PX] = _text([(name, _GAP_PX)], total_w, "left")
    foot = _TEXT_PX + n_videos * row_h
    for t, line in enumerate(lines):
        image = sheet.copy()
        for row, top in enumerate(tops):
            y = top + _TEXT_PX
            for x, video in zip(columns, (true, predicted), strict=True):
                image[y : y + block[0], x : x + block[1]] = _enlarged(video[row, :, t], scale)
        image[foot : foot + _TEXT_PX] = _text([(line, _GAP_PX)], total_w, "left")
        yield image


def _enlarged(frame: np.ndarray, scale: int) -> np.ndarray:
    """Turn a frame (C, H, W) in [0, 1] into RGB uint8 (scale*H, scale*W, 3), pixels repeated."""
    pixels = (frame * 255).round().astype(np.uint8).transpose(1, 2, 0)
    pixels = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _text(parts: Iterable[tuple[str, float]], width: int, align: str) -> np.ndarray:
    """Draw a line of text, uint8 (_TEXT_PX, width, 3): text and x in pixels of each part."""
    figure = Figure(figsize=(width / _DPI, _TEXT_PX / _DPI), dpi=_DPI)
    canvas = FigureCanvasAgg(figure)
    for text, x in parts:
        style: dict[str, Any] = {"ha": align, "va": "center_baseline", "fontsize": 9}
        figure.text(x / width, 0.5, text, **style, parse_math=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]
