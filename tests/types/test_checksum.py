from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mua_decode.types import Recording, Segment, Session, SpikeTimes, StimulusSet
from mua_decode.types.checksum import checksum
from tests.conftest import make_session, make_stimuli


def make_recording() -> Recording:
    stimuli = make_stimuli()
    counted = make_session("a", stimuli)
    trials = counted.trials.assign(state=["awake", None] * (len(counted.trials) // 2))
    spikes = SpikeTimes(
        time_s=np.array([0.1, 0.2]), trial=np.array([0, 1]), site=np.array([0, 1]), duration_s=0.5,
        observed=np.ones((len(trials), len(counted.sites)), bool),
    )  # fmt: skip
    timed = make_session("b", stimuli)
    timed = Session(name="b", sites=timed.sites, trials=timed.trials, spike_times=spikes)
    return Recording(name="r", sessions=(replace(counted, trials=trials), timed), stimuli=stimuli)


def changed(array: np.ndarray, to: object) -> np.ndarray:
    out = array.copy()
    out[(0,) * out.ndim] = to
    return out


def of_session(number: int, **change: Callable[[Any], Any]) -> Callable[[Recording], Recording]:
    def apply(recording: Recording) -> Recording:
        sessions = list(recording.sessions)
        new = {name: f(getattr(sessions[number], name)) for name, f in change.items()}
        sessions[number] = replace(sessions[number], **new)
        return replace(recording, sessions=tuple(sessions))

    return apply


def of_stimuli(change: Callable[[StimulusSet], StimulusSet]) -> Callable[[Recording], Recording]:
    return lambda recording: replace(recording, stimuli=change(recording.stimuli))


def of_column(name: str, to: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**{name: changed(table[name].to_numpy(), to)})


CHANGES: dict[str, Callable[[Recording], Recording]] = {
    "a count": of_session(0, counts=lambda c: changed(c, c.flat[0] + 1)),
    "type of counts": of_session(0, counts=lambda c: c.astype(np.float32)),
    "a step": of_session(0, bin_s=lambda s: s / 2),
    "a window": of_session(0, window_s=lambda s: s / 2),
    "a region": of_session(0, sites=lambda t: replace(t, region=changed(t.region, "FEF"))),
    "a site id": of_session(0, sites=lambda t: replace(t, site_id=changed(t.site_id, "new"))),
    "a subject": of_session(0, sites=lambda t: replace(t, subject=changed(t.subject, "Z"))),
    "a condition": of_session(0, trials=of_column("condition", 2)),
    "a presentation": of_session(0, trials=of_column("presentation", 999)),
    "a state": of_session(0, trials=of_column("state", "asleep")),
    "a state that is text": of_session(
        0, trials=lambda t: t.assign(state=["awake", "None"] * (len(t) // 2))
    ),
    "a column's name": of_session(0, trials=lambda t: t.rename(columns={"state": "mood"})),
    "type of a column": of_session(
        0, trials=lambda t: t.assign(presentation=t["presentation"].astype(np.int16))
    ),
    "a spike time": of_session(
        1, spike_times=lambda t: replace(t, time_s=changed(t.time_s, 0.15))
    ),
    "a spike's trial": of_session(1, spike_times=lambda t: replace(t, trial=changed(t.trial, 3))),
    "a spike's site": of_session(1, spike_times=lambda t: replace(t, site=changed(t.site, 2))),
    "a duration": of_session(1, spike_times=lambda t: replace(t, duration_s=0.6)),
    "what was observed": of_session(
        1, spike_times=lambda t: replace(t, observed=changed(t.observed, False))
    ),
    "whether all was observed": of_session(
        1, spike_times=lambda t: replace(t, observed=None)
    ),
    "order of sessions": lambda r: replace(r, sessions=r.sessions[::-1]),
    "number of sessions": lambda r: replace(r, sessions=r.sessions[:1]),
    "a pixel": of_stimuli(lambda s: replace(s, videos=changed(s.videos, s.videos.flat[0] ^ 1))),
    "a frame's length": of_stimuli(lambda s: replace(s, frame_s=s.frame_s * 2)),
    "a name of a condition": of_stimuli(
        lambda s: replace(s, conditions=s.conditions.assign(name=changed(
            s.conditions["name"].to_numpy(), "new")))
    ),
    "the condition of a video": of_stimuli(lambda s: replace(s, condition=s.condition[::-1])),
    "a weight": of_stimuli(
        lambda s: replace(s, segments=(Segment("all", 0, s.n_frames, weight=3.0),))
    ),
}  # fmt: skip


def test_equal_contents_have_equal_checksums() -> None:
    one, two = make_recording(), make_recording()
    assert one.checksum == two.checksum
    assert len(one.checksum) == 64
    told = {"provenance": {"file": "x"}, "notes": ("odd",), "truth": {"t": pd.DataFrame()}}
    assert replace(two, name="q", **told).checksum == one.checksum


@pytest.mark.parametrize("what", list(CHANGES))
def test_every_change_of_content_shows(what: str) -> None:
    recording = make_recording()
    assert CHANGES[what](recording).checksum != recording.checksum


def test_the_measure_counts() -> None:
    floats = of_session(0, counts=lambda c: c.astype(np.float64))(make_recording())
    assert of_session(0, measure=lambda _: "standardised")(floats).checksum != floats.checksum


def test_layout_in_memory_does_not_count() -> None:
    recording = make_recording()
    turned = of_session(0, counts=np.asfortranarray)(recording)
    assert not turned.sessions[0].counts.flags["C_CONTIGUOUS"]
    assert turned.checksum == recording.checksum
    wide = of_session(0, sites=lambda t: replace(t, region=t.region.astype("U40")))(recording)
    assert wide.checksum == recording.checksum


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(4), np.arange(4).reshape(2, 2)),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        (np.zeros((0, 2)), np.zeros((0, 3))),
        (np.array(1.0), np.array([1.0])),
        ([np.arange(2), np.arange(1)], [np.arange(1), np.arange(2)]),
        ([["a"], ["b"]], [["a", "b"]]),
        (np.array([1, "1"], object), np.array(["1", 1], object)),
        (np.array([1], object), np.array([True], object)),
        (np.array([1], object), np.array([1.0], object)),
        (np.array([None], object), np.array([np.nan], object)),
        (np.array(["a", "bc"]), np.array(["ab", "c"])),
        (pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"a": [1], "c": [2]})),
        (pd.DataFrame({"a": [(1, 2)]}), pd.DataFrame({"a": [[1, 2]]})),
        ("1", 1),
        (None, "None"),
    ],
)
def test_contents_do_not_run_together(one: object, other: object) -> None:
    assert checksum(one) == checksum(one)
    assert checksum(one) != checksum(other)


def test_arrays_larger_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).random((37, 5))
    whole = checksum(array)
    monkeypatch.setattr("mua_decode.types.checksum._BLOCK", 100)
    assert checksum(array) == whole
    assert checksum(np.asfortranarray(array)) == whole
    assert checksum(array[::-1]) != whole
