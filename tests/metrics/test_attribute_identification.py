from __future__ import annotations

import pytest
import torch

from mua_decode.metrics import AttributeIdentification, Identification, Shown

VIDEOS = torch.rand(4, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
CONDITION = torch.tensor([0, 1, 2, 3])
SHOWN = Shown(video=VIDEOS, condition=CONDITION, candidates=VIDEOS)
COLOURS = ["red", "red", "green", "green"]


def test_the_right_attribute_of_the_wrong_condition_counts() -> None:
    metric = AttributeIdentification(similarity="correlation", attribute="colour", labels=COLOURS)
    assert metric.name == "colour_identified"
    predicted = VIDEOS[[1, 0, 3, 0]]  # wrong condition each time; the last one's colour as well
    assert metric(predicted, SHOWN).tolist() == [1, 1, 1, 0]
    assert Identification(similarity="correlation")(predicted, SHOWN).tolist() == [0, 0, 0, 0]


def test_with_a_label_per_condition_it_is_identification() -> None:
    noise = torch.rand(VIDEOS.shape, generator=torch.Generator().manual_seed(1))
    predicted = 0.2 * VIDEOS[[0, 2, 2, 1]] + 0.8 * noise
    for similarity in ("correlation", "mse"):
        metric = AttributeIdentification(
            similarity=similarity, attribute="condition", labels=[0, 1, 2, 3]
        )
        plain = Identification(similarity=similarity)
        assert torch.equal(metric(predicted, SHOWN), plain(predicted, SHOWN))


def test_among_some_conditions_only_those_can_win_and_only_those_are_asked() -> None:
    metric = AttributeIdentification(
        similarity="correlation", attribute="held_out", labels=[0, 1, 2, 3], among=[1, 2]
    )
    near_two = 0.9 * VIDEOS[[0]] + 0.1 * VIDEOS[[2]]
    credit = metric(near_two.expand(4, -1, -1, -1, -1), SHOWN)
    assert credit.isnan().tolist() == [True, False, False, True]
    assert credit[1:3].tolist() == [0, 1]


def test_a_constant_prediction_gets_what_guessing_gets() -> None:
    metric = AttributeIdentification(
        similarity="correlation", attribute="colour", labels=["red", "green", "green", "green"]
    )
    assert metric(torch.full_like(VIDEOS, 0.5), SHOWN).tolist() == [0.25, 0.75, 0.75, 0.75]


def test_labels_must_fit_the_conditions() -> None:
    with pytest.raises(ValueError, match="3 labels for 4 candidates"):
        AttributeIdentification(similarity="mse", attribute="a", labels=[0, 1, 2])(VIDEOS, SHOWN)
    with pytest.raises(ValueError, match="among must name conditions"):
        AttributeIdentification(similarity="mse", attribute="a", labels=[0, 1], among=[2])
