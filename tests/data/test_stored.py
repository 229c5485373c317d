"""Trials that were pooled, standardised and divided before they were stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan, audit_leakage
from mua_decode.types import InputError, LeakState, Recording
from tests.conftest import make_session, make_stimuli

PARTS = np.array(["train", "val", "test", "train", "train", "test", "train", "train"])


def stored(parts: Sequence[str] = PARTS, *, variants: int = 2) -> Recording:
    """Eight standardised trials of each of four conditions, parts in turn."""
    stimuli = make_stimuli(variants=variants)
    session = make_session("pooled", stimuli, trials=8)
    counts = np.random.default_rng(0).normal(size=session.counts.shape).astype(np.float32)  # type: ignore[union-attr]
    video = session.condition * variants + np.arange(session.n_trials) % variants
    trials = session.trials.assign(published_part=np.tile(parts, 4), video=video)
    session = replace(session, trials=trials, counts=counts, measure="standardised")
    return Recording(name="stored", sessions=(session,), stimuli=stimuli)


def make(recording: Recording, *, unit: str = "published", draw: str = "recorded", **more: object):
    pseudo = PseudoTrialPlan(per_condition=20, draw=draw)
    options: dict = {"window": None, "split": SplitPlan(unit=unit), "pseudo": pseudo, **more}
    return DecodingData(recording, **options)


def test_every_stored_trial_is_used_once_as_it_is_with_its_own_video() -> None:
    recording = stored()
    (session,) = recording.sessions
    data = make(recording, standardisation="none")
    for part in ("train", "val", "test"):
        rows = np.flatnonzero(session.trials["published_part"] == part)
        pseudo = data.pseudo_trials(part)
        np.testing.assert_array_equal(pseudo.source_trial, np.repeat(rows[:, None], 3, axis=1))
        np.testing.assert_array_equal(pseudo.video, session.trials["video"].to_numpy()[rows])
        spikes = torch.cat([b.spikes for b in data.batches(part)])
        np.testing.assert_array_equal(spikes.numpy(), session.counts[rows])  # type: ignore[index]
    first = data.dataset("train").pseudo.source_trial.copy()
    data.dataset("train").set_epoch(1)
    np.testing.assert_array_equal(data.dataset("train").pseudo.source_trial, first)


@pytest.mark.parametrize("unit", ["published", "recorded_trial", "condition"])
def test_no_split_of_them_is_called_free_of_leaks(unit: str) -> None:
    held_out = ["c1"] if unit == "condition" else []
    data = make(stored(), split=SplitPlan(unit=unit, held_out=held_out), draw="site")
    assert data.leaks is LeakState.UNKNOWN
    assert data.leaks.flag == "unknown"
    assert data.audit.shared is None
    assert data.audit.line.startswith("leaks unknown: pooled before they were stored")
    assert "free of" not in data.audit.line
    assert " 0 " not in data.audit.line
    with pytest.raises(TypeError, match="one of three"):
        bool(data.leaks)


def test_pooling_them_again_before_the_split_leaks_and_is_counted() -> None:
    data = make(stored(), unit="pseudo_trial", draw="site")
    assert data.leaks is LeakState.LEAKING
    assert data.audit.shared


def test_drawn_parts_keep_to_the_stored_ones() -> None:
    recording = stored()
    data = make(recording, draw="site")
    part_of = recording.sessions[0].trials["published_part"].to_numpy()
    for part in ("train", "val", "test"):
        pseudo = data.pseudo_trials(part)
        assert set(part_of[pseudo.source_trial].ravel()) == {part}
    assert [len(data.dataset(p)) for p in ("train", "val", "test")] == [48, 8, 20]


def test_without_val_there_is_no_validation_and_a_line_says_so() -> None:
    data = make(stored(np.where(PARTS == "val", "train", PARTS)))
    assert len(data.dataset("val")) == 0
    assert any("no trial was stored for validation" in note for note in data.notes)
    assert audit_leakage(
        data.pseudo_trials("train"), data.pseudo_trials("test"), state=LeakState.FREE
    ).shared == 0  # fmt: skip


def test_what_does_not_fit_is_said(recording: Recording) -> None:
    with pytest.raises(InputError, match="unit=published needs trials that were stored in parts"):
        make(recording, draw="site")
    with pytest.raises(InputError, match="must hold train and may hold val and test, found test"):
        make(stored(["test"] * 8))
    with pytest.raises(InputError, match="takes the trials of one session"):
        make(recording, unit="recorded_trial")
    with pytest.raises(InputError, match=r"standardisation=none is for activity .* standardised"):
        make(recording, unit="recorded_trial", draw="site", standardisation="none")
    with pytest.raises(InputError, match="choose from train, none"):
        make(stored(), standardisation="no")
    with pytest.raises(InputError, match="pools nothing"):
        make(stored(), unit="pseudo_trial")
    with pytest.raises(InputError, match="no folds"):
        SplitPlan(unit="published", n_folds=3)


def test_states_survive_a_file_and_a_table() -> None:
    for state in LeakState:
        assert LeakState.of_flag(state.flag) is state
        assert LeakState.of_label(state.label("test")) is state
    assert LeakState.FREE.flag is False
    assert LeakState.LEAKING.flag is True
