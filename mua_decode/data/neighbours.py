"""Whether videos held apart by a split show the same, or what came just before or after."""

from __future__ import annotations

import cv2
import numpy as np

from mua_decode.types import StimulusSet

_PIXELS = 16  # frames are compared at this size, where coding noise does not count
_MOST = 400  # conditions of a side that are compared
_STEPS = 2.0  # edges as close as so many steps of a film are neighbours
_APART = 4.0  # so many steps lie between frames of unlike videos, or closeness says nothing


def shared_content(stimuli: StimulusSet, train: np.ndarray, test: np.ndarray) -> list[str]:
    """Warn, one line each, of conditions of one side that show what the other side shows.

    Three ways, of which the first that holds for a condition counts: its video is one of the
    other side's; a frame of it that moves (unlike the frames beside it) is; or its first frame
    follows on a video's last frame there, or the other way round, as two pieces of one film do
    (their distance is at most 2 median steps from frame to frame, and frames of two conditions
    are usually at least 4 steps apart).

    Parameters
    ----------
    train, test
        Conditions of the two sides, int.
    """
    sides = {"train": train[:_MOST], "test": test[:_MOST]}
    small = {
        p: [_small(stimuli.videos[stimuli.variants(k)[0]]) for k in k_] for p, k_ in sides.items()
    }
    if not all(small.values()):
        return []
    other = {v.tobytes() for v in small["train"]}
    if len(other | {v.tobytes() for v in small["test"]}) == 1:
        return []  # blank pictures stand in for all videos, which is said elsewhere
    same = np.array([v.tobytes() in other for v in small["test"]])
    frames = {f for v in small["train"] for f in _moving(v)}
    part = np.array([bool(frames & set(_moving(v))) for v in small["test"]]) & ~same
    near = _follows(small["train"], small["test"]) & ~same & ~part
    found = []
    for hits, what in (
        (same, "show the same video as a trained one"),
        (part, "share frames with trained ones"),
        (near, "go on where a trained one ends, or end where one begins (neighbouring frames)"),
    ):
        if hits.any():
            names = [stimuli.names[k] for k in sides["test"][hits]]
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            found.append(
                f"warning: {len(names)} of {len(hits)} held-out conditions {what}, so that they "
                f"are not new ({shown}); hold them out together"
            )
    return found


def _small(video: np.ndarray) -> np.ndarray:
    """Video (T, C, H, W) as grey levels, float32 (T, 16, 16) or smaller."""
    grey = video.mean(axis=1, dtype=np.float32)
    size = (min(_PIXELS, grey.shape[2]), min(_PIXELS, grey.shape[1]))
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in grey])


def _moving(video: np.ndarray) -> set[bytes]:
    """Frames unlike the frames beside them: a picture held for a while is no film."""
    still = (video[1:] == video[:-1]).all(axis=(1, 2))
    if not len(still):
        return set()
    beside = np.append(False, still) | np.append(still, False)
    return {f.tobytes() for f in video[~beside]}


def _follows(train: list[np.ndarray], test: list[np.ndarray]) -> np.ndarray:
    """Bool (test,): pieces of a film that meet a trained one at an edge."""
    videos = [*train, *test]
    steps = np.concatenate([_squared(v[1:], v[:-1]) for v in videos])
    steps = steps[steps > 0]
    middle = np.stack([v[len(v) // 2] for v in videos]).reshape(len(videos), -1)
    between = _distances(middle, middle)[np.triu_indices(len(videos), 1)]
    if not len(steps) or np.median(between) < _APART * np.median(steps):
        return np.zeros(len(test), bool)
    most = _STEPS * float(np.median(steps))
    first, last = ([v[i].ravel() for v in test] for i in (0, -1))
    first_t, last_t = ([v[i].ravel() for v in train] for i in (0, -1))
    after = _distances(np.stack(first), np.stack(last_t))
    before = _distances(np.stack(last), np.stack(first_t))
    # Pictures that many videos begin or end with (a fixation point) join nothing.
    joins = [(d <= most) & (np.mean(d <= most) < 0.5) for d in (after, before)]
    return np.asarray((joins[0] | joins[1]).any(axis=1))


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(((a - b) ** 2).mean(axis=(1, 2)))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean squared difference of every row of (A, D) and (B, D), (A, B)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(square, 0) / a.shape[1])
