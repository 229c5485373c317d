"""Identification among held-out conditions: what only knows trained videos is at chance there."""

from __future__ import annotations

import pytest
import torch

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.metrics import Identification, Shown
from mua_decode.scoring.held_out import among_held_out
from mua_decode.types import Recording
from tests.conftest import make_session, make_stimuli


def made(**split: object) -> DecodingData:
    stimuli = make_stimuli(10)
    recording = Recording(name="r", sessions=(make_session("s", stimuli),), stimuli=stimuli)
    plan = SplitPlan(**split)  # type: ignore[arg-type]
    return DecodingData(recording, window=None, split=plan, pseudo=PseudoTrialPlan(per_condition=6))


def test_only_where_conditions_are_held_apart() -> None:
    asked = [Identification(similarity="correlation")]
    apart = made(unit="condition", held_out=["c1", "c2", "c3", "c4"])
    (metric,) = among_held_out(apart, "test", asked)
    assert metric.name == "among_held_out_identified"
    assert among_held_out(apart, "test", [*asked, metric]) == []  # asked for by name
    assert among_held_out(apart, "test", []) == []
    assert among_held_out(apart, "train", asked) == []
    assert among_held_out(made(), "test", asked) == []
    assert among_held_out(made(unit="condition", held_out=["c1"]), "test", asked) == []


def test_right_answers_score_1_and_trained_videos_what_guessing_does() -> None:
    data = made(unit="condition", held_out=["c1", "c2", "c3", "c4"])
    metrics = [Identification(similarity="correlation")]
    metrics += among_held_out(data, "test", metrics)
    candidates = data.mean_videos(None)
    condition = torch.arange(1, 5).repeat(40)
    shown = Shown(video=candidates[condition], condition=condition, candidates=candidates)
    right = [float(m(candidates[condition], shown).mean()) for m in metrics]
    assert right == [1.0, 1.0]
    trained = torch.tensor(data.conditions("train"))
    generator = torch.Generator().manual_seed(0)
    drawn = trained[torch.randint(len(trained), condition.shape, generator=generator)]
    by_heart = [float(m(candidates[drawn], shown).mean()) for m in metrics]
    assert by_heart[0] == 0.0
    assert by_heart[1] == pytest.approx(1 / 4, abs=0.12)
