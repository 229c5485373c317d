"""Films cut into conditions: what a split of conditions cannot hold apart is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.data.neighbours import shared_content
from mua_decode.types import Recording, Segment, StimulusSet
from tests.conftest import make_session, make_stimuli


def film(n: int = 200, seed: int = 0) -> np.ndarray:
    """Frames (n, 1, 16, 16) of clouds that drift slowly."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.uniform(0, 255, (6, 200)), np.ones((3, 8)))
    return np.stack([wide[:16, k : k + 16] for k in range(n)])[:, None].astype(np.uint8)


def cut(starts: list[int], length: int = 10, fixation: int = 0) -> StimulusSet:
    frames = film()
    videos = np.stack([frames[s : s + length] for s in starts])
    if fixation:
        still = np.full((len(videos), fixation, *videos.shape[2:]), 128, np.uint8)
        videos = np.concatenate([still, videos, still], axis=1)
    names = pd.DataFrame({"name": [f"from {s} ({i})" for i, s in enumerate(starts)]})
    t = videos.shape[1]
    return StimulusSet(videos, np.arange(len(videos)), names, (Segment("all", 0, t),), 0.1)


TRAIN = np.array([0, 1, 2, 3])


def test_films_that_lie_apart_are_not_warned_of() -> None:
    test = np.array([4, 5])
    assert shared_content(cut([0, 30, 60, 90, 120, 150]), TRAIN, test) == []
    # All begin and end with a fixation point.
    assert shared_content(cut([0, 30, 60, 90, 120, 150], fixation=3), TRAIN, test) == []
    assert shared_content(make_stimuli(6), TRAIN, test) == []  # noise
    stills = cut([0, 30, 60, 90, 120, 0], length=1)  # nothing moves, so that nothing follows
    (said,) = shared_content(stills, TRAIN, test)
    assert said.startswith("warning: 1 of 2 held-out conditions show the same video")


def test_the_same_overlapping_and_neighbouring_pieces_are_told_apart() -> None:
    stimuli = cut([0, 30, 60, 90, 0, 35, 100, 150])
    (same, part, near) = shared_content(stimuli, TRAIN, np.array([4, 5, 6, 7]))
    assert same.startswith("warning: 1 of 4 held-out conditions show the same video")
    assert "(from 0 (4))" in same
    assert part.startswith("warning: 1 of 4 held-out conditions share frames")
    assert "(from 35 (5))" in part
    assert "neighbouring frames" in near
    assert "(from 100 (6))" in near


def test_training_says_so() -> None:
    stimuli = cut(list(range(0, 80, 10)))  # one film, cut without gaps
    session = make_session("s", stimuli, trials=3)
    recording = Recording(name="r", sessions=(session,), stimuli=stimuli)

    def notes(unit: str) -> list[str]:
        data = DecodingData(
            recording, window=None, split=SplitPlan(unit=unit),
            pseudo=PseudoTrialPlan(per_condition=4, draw="site", fresh=True),
        )  # fmt: skip
        return [n for n in data.notes if n.startswith("warning")]

    assert any("neighbouring frames" in n for n in notes("condition"))
    assert notes("recorded_trial") == []
    apart = replace(stimuli, videos=make_stimuli(8, n_frames=10, shape=(1, 16, 16)).videos)
    recording = replace(recording, stimuli=apart)
    assert notes("condition") == []


def test_blank_pictures_are_not_called_one_video_and_copies_are_called_copies() -> None:
    stimuli = make_stimuli(8, n_frames=10, shape=(1, 16, 16))
    stimuli = replace(stimuli, videos=np.full_like(stimuli.videos, 128))
    recording = Recording(
        name="r", sessions=(make_session("s", stimuli, trials=1),), stimuli=stimuli
    )

    def notes(draw: str) -> list[str]:
        data = DecodingData(
            recording, window=None, split=SplitPlan(unit="condition"),
            pseudo=PseudoTrialPlan(per_condition=4, draw=draw),
        )  # fmt: skip
        return data.notes

    assert not any("the same video" in n for n in notes("site"))
    assert any("copies of that: data.pseudo.draw=recorded" in n for n in notes("site"))
    assert not any("copies" in n for n in notes("recorded"))
