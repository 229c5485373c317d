"""Videos as text in a page: lossless sheets of PNG, or few numbers per frame in a shared basis.

Reconstructions of a network change little from subset to subset and from frame to frame, so all of
them lie near a space of a few dozen dimensions. A frame is stored as its rounded coordinates in
that space, frames as differences from the one before, deflated. Any frame of any condition is then
at hand without seeking through a film, its colours are those of the array in every browser, and it
is nearer to the original at a smaller size than JPEG sheets or H.264 of the same videos.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.utils.extmath import randomized_svd

# Root mean square of what is left out, and of what rounding adds, in grey levels of 255.
_RESIDUAL = 0.7
_ROUNDING = 0.35
_MOST_PX = 8000  # sides of a sheet; some browsers refuse larger images
_BYTES_PER_NUMBER = 0.6  # of a coordinate once deflated, on the safe side
_LEVEL = 6  # of zlib; 9 takes fifteen times as long for two per cent less


def as_bytes(videos: np.ndarray) -> np.ndarray:
    """Return videos as uint8; floats are cut to [0, 1] and scaled to 255, NaN becomes 0."""
    if videos.dtype == np.uint8:
        return np.asarray(videos)
    scaled = np.nan_to_num(np.asarray(videos, np.float32), nan=0.0) * 255
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)


def base64_text(data: bytes) -> str:
    """Return base64, which holds no character that HTML could mistake."""
    return base64.b64encode(data).decode("ascii")


def frames_per_column(n_frames: int, height: int) -> int:
    """How many frames one column of a sheet holds."""
    return max(1, min(n_frames, _MOST_PX // height))


def png_sheet(video: np.ndarray) -> bytes:
    """Encode one video, uint8 (T, C, H, W), without loss.

    Its frames lie below one another in as few columns as fit.
    """
    n_frames, channels, height, width = video.shape
    rows = frames_per_column(n_frames, height)
    columns = -(-n_frames // rows)
    padded = np.zeros((rows * columns, channels, height, width), np.uint8)
    padded[:n_frames] = video
    sheet = padded.reshape(columns, rows, channels, height, width).transpose(1, 3, 0, 4, 2)
    image = sheet.reshape(rows * height, columns * width, channels)
    # OpenCV takes blue first.
    encoded = cv2.imencode(
        ".png", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )[1]
    return encoded.tobytes()


@dataclass(frozen=True, eq=False)
class ComponentCode:
    """A basis of frames in whole numbers, and coordinates of videos in it.

    Parameters
    ----------
    mean
        float32 (D,), D = C·H·W, in grey levels.
    basis
        int16 (R, D): rows times ``scale`` are orthonormal up to rounding.
    scale
        float32 (R,).
    step
        Grey levels that one unit of a coordinate stands for.
    """

    mean: np.ndarray
    basis: np.ndarray
    scale: np.ndarray
    step: float

    @classmethod
    def fit(cls, frames: np.ndarray, *, n_total: int, budget: int) -> ComponentCode:
        """Find the basis.

        Parameters
        ----------
        frames
            uint8 (n, C, H, W), a sample of what is to be coded.
        n_total
            How many frames are to be coded.
        budget
            Bytes that basis and coordinates together may take; fewer are used where fewer leave
            out no more than 0.7 grey levels (root mean square).
        """
        flat = frames.reshape(len(frames), -1).astype(np.float32)
        mean = flat.mean(axis=0)
        affordable = int(budget / (2 * flat.shape[1] + _BYTES_PER_NUMBER * n_total))
        most = max(1, min(affordable, *flat.shape))
        flat -= mean
        _, size, basis = randomized_svd(flat, most, n_iter=2, random_state=0)
        left = (float(np.vdot(flat, flat)) - np.cumsum(size.astype(float) ** 2)) / flat.size
        enough = np.flatnonzero(left <= _RESIDUAL**2)
        basis = basis[: enough[0] + 1 if len(enough) else most]
        scale = np.abs(basis).max(axis=1).clip(min=1e-9) / 32767
        whole = np.rint(basis / scale[:, None]).astype(np.int16)
        # A coordinate's rounding error is uniform; it is shared by all pixels of a frame.
        step = _ROUNDING * float(np.sqrt(12 * flat.shape[1] / len(basis)))
        step = max(step, 255 * float(np.sqrt(flat.shape[1])) / 32000)  # fits in 16 bits
        return cls(mean.astype(np.float32), whole, scale.astype(np.float32), step)

    def header(self) -> bytes:
        """Deflated mean, scale (little-endian float32) and basis (int16)."""
        parts = (self.mean.astype("<f4"), self.scale.astype("<f4"), self.basis.astype("<i2"))
        return zlib.compress(b"".join(p.tobytes() for p in parts), _LEVEL)

    def encode(self, videos: np.ndarray) -> tuple[bytes, float]:
        """Code videos.

        Parameters
        ----------
        videos
            uint8 (K, T, C, H, W).

        Returns
        -------
        Deflated differences along time, coordinates first: low bytes (R, K, T), then high bytes;
        and the mean absolute error of what a reader will see, in grey levels.
        """
        n_videos, n_frames = videos.shape[:2]
        flat = videos.reshape(n_videos * n_frames, -1).astype(np.float32)
        basis = self.basis.astype(np.float32) * self.scale[:, None]
        coordinates = np.rint((flat - self.mean) @ basis.T / self.step)
        seen = np.rint(coordinates.astype(np.float32) * np.float32(self.step) @ basis + self.mean)
        error = np.abs(seen.clip(0, 255) - flat).mean()
        whole = coordinates.T.reshape(-1, n_videos, n_frames).astype("<i2")
        # Differences wrap around in 16 bits, and so does the reader's sum.
        steps = np.diff(whole, axis=2, prepend=np.zeros_like(whole[:, :, :1])).astype("<i2")
        pairs = np.ascontiguousarray(steps).view(np.uint8).reshape(-1, 2)
        return zlib.compress(pairs.T.tobytes(), _LEVEL), float(error)
