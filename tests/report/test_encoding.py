"""Coded videos come back as they were, or nearly."""

import zlib

import cv2
import numpy as np
import pytest

from mua_decode.report.encoding import ComponentCode, as_bytes, png_sheet


def _read(code: ComponentCode, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """What the page's script does: sum the differences, weigh the basis."""
    n_videos, n_frames, *frame = shape
    low, high = np.frombuffer(zlib.decompress(data), np.uint8).reshape(2, -1).astype(np.int32)
    steps = ((high << 8) | low).astype(np.uint16).view(np.int16).reshape(-1, n_videos, n_frames)
    whole = np.cumsum(steps, axis=2, dtype=np.int16).reshape(len(steps), -1)
    basis = code.basis * code.scale[:, None]
    flat = whole.T.astype(np.float32) * code.step @ basis + code.mean
    return np.rint(flat).clip(0, 255).reshape(n_videos, n_frames, *frame)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], *, rank: int) -> np.ndarray:
    n_videos, n_frames, *frame = shape
    weights = rng.normal(size=(n_videos * n_frames, rank))
    flat = 127 + weights @ rng.normal(size=(rank, int(np.prod(frame)))) * 12
    return np.rint(flat.clip(0, 255)).astype(np.uint8).reshape(shape)


@pytest.mark.parametrize("frame", [(3, 16, 12), (1, 9, 7)])
def test_videos_near_few_dimensions_come_back_within_a_grey_level(frame):
    rng = np.random.default_rng(0)
    videos = _smooth(rng, (6, 10, *frame), rank=5)
    frames = videos.reshape(-1, *frame)
    code = ComponentCode.fit(frames, n_total=len(frames), budget=1_000_000)
    assert len(code.basis) <= 12
    data, error = code.encode(videos)
    found = np.abs(_read(code, data, videos.shape) - videos).mean()
    assert found == pytest.approx(error, abs=1e-3)
    assert error < 1.2


def test_budget_bounds_the_size_of_what_is_hard_to_code():
    videos = np.random.default_rng(0).integers(0, 256, (8, 20, 3, 16, 16), dtype=np.uint8)
    frames = videos.reshape(-1, 3, 16, 16)
    code = ComponentCode.fit(frames, n_total=len(frames), budget=40_000)
    data, error = code.encode(videos)
    assert len(data) + len(code.header()) < 60_000
    assert error > 20  # and the reader is told


def test_sheet_is_lossless_and_wraps_into_columns(monkeypatch):
    monkeypatch.setattr("mua_decode.report.encoding._MOST_PX", 20)
    for channels in (1, 3):
        video = np.random.default_rng(0).integers(0, 256, (7, channels, 6, 5), dtype=np.uint8)
        image = cv2.imdecode(np.frombuffer(png_sheet(video), np.uint8), cv2.IMREAD_COLOR)
        image = image[..., ::-1].transpose(2, 0, 1)  # three frames of six rows in a column
        assert image.shape == (3, 18, 15)
        for t, frame in enumerate(video):
            x, y = 5 * (t // 3), 6 * (t % 3)
            part = image[:, y : y + 6, x : x + 5]
            np.testing.assert_array_equal(part, np.broadcast_to(frame, (3, 6, 5)))


def test_floats_are_cut_and_scaled():
    found = as_bytes(np.array([-0.5, 0.0, 0.5, 1.0, 2.0, np.nan]))
    assert found.tolist() == [0, 0, 128, 255, 255, 0]
