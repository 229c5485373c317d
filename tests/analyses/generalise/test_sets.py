from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.analyses.generalise.plan import HeldOutPlan
from mua_decode.analyses.generalise.sets import attributes, held_out_sets
from mua_decode.models.lookup import LookupDecoder
from mua_decode.models.mean_video import MeanVideo
from mua_decode.models.ridge import RidgeDecoder
from mua_decode.types import InputError


def task(cues: int = 4, colours: int = 4, directions: int = 4) -> pd.DataFrame:
    rows = [
        {"name": f"cue{c} colour{k} {90 - 60 * d}", "cue": f"cue{c}", "colour": f"colour{k}"}
        | {"direction_deg": 90.0 - 60 * d}
        for c, k, d in itertools.product(range(cues), range(colours), range(directions))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("seed", range(5))
def test_every_part_of_what_is_held_out_is_seen_elsewhere(seed: int) -> None:
    conditions = task()
    sets = held_out_sets(conditions, HeldOutPlan(combinations=3, pairs=0.25, others=1), seed=seed)
    assert [len(s.conditions) for s in sets] == [4, 4, 4, 16]
    for chosen in sets:
        out = conditions.iloc[list(chosen.conditions)]
        rest = conditions.drop(index=list(chosen.conditions))
        for column in ("cue", "colour", "direction_deg"):
            assert set(out[column]) <= set(rest[column])
    for chosen in sets[:3]:
        out = conditions.iloc[list(chosen.conditions)]
        assert len(out[["colour", "direction_deg"]].drop_duplicates()) == 1
        assert set(out["cue"]) == set(conditions["cue"])
    combined = [conditions.iloc[s.conditions[0]] for s in sets[:3]]
    assert len({c["colour"] for c in combined}) == 3  # spread over colours and directions
    assert len({c["direction_deg"] for c in combined}) == 3
    pairs = conditions.iloc[list(sets[3].conditions)]
    stimuli = pairs[["colour", "direction_deg"]]
    assert len(stimuli.drop_duplicates()) == len(pairs)  # a stimulus loses one cue at most
    assert pairs["cue"].value_counts().tolist() == [4] * 4


def test_movies_leave_with_all_their_versions() -> None:
    conditions = pd.DataFrame(
        [
            {"name": f"{s}-{c}-{m}", "scale": s, "category": c, "movie": m}
            for s, c, m in itertools.product(("small", "large"), ("a", "b"), range(10))
        ]
    )
    sets = held_out_sets(conditions, HeldOutPlan(combinations=2, pairs=0.1, others=3), seed=0)
    assert [len(s.conditions) for s in sets] == [4, 4, 4]  # 2 of 20 movies at 2 scales
    assert len(set().union(*(s.conditions for s in sets))) == 12
    for chosen in sets:
        out = conditions.iloc[list(chosen.conditions)]
        assert (out.groupby(["category", "movie"])["scale"].nunique() == 2).all()


def test_plain_conditions_and_impossible_requests() -> None:
    plain = pd.DataFrame({"name": [f"c{k}" for k in range(5)]})
    sets = held_out_sets(plain, HeldOutPlan(combinations=2, pairs=0.1, others=2), seed=0)
    assert [len(s.conditions) for s in sets] == [1, 1]
    with pytest.raises(InputError, match="expected 1 to 4 sets, found 5"):
        held_out_sets(plain, HeldOutPlan(combinations=2, pairs=0.1, others=5), seed=0)
    with pytest.raises(InputError, match="at most one pair per stimulus"):
        held_out_sets(task(2), HeldOutPlan(combinations=1, pairs=0.9, others=1), seed=0)
    with pytest.raises(InputError, match="one colour only"):
        held_out_sets(task(colours=1), HeldOutPlan(combinations=1, pairs=0, others=1), seed=0)


def test_attributes_that_do_not_vary_are_left_out() -> None:
    found = attributes(task(cues=1))
    assert list(found) == ["colour", "direction"]
    assert found["colour"][:5] == ["colour0"] * 4 + ["colour1"]


def test_floors_do_not_look_at_videos_of_held_out_conditions() -> None:
    rng = torch.Generator().manual_seed(0)
    videos = torch.rand(4, 1, 3, 4, 4, generator=rng)
    spikes = torch.randn(30, 3, 5, generator=rng)
    condition = torch.arange(30) % 3  # condition 3 is held out
    hidden = videos.clone()
    hidden[3] = float("nan")

    def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(spikes, condition)]

    for context in ("bin", "trial"):
        for make in (LookupDecoder, MeanVideo, RidgeDecoder):
            given = {"context": context, "alphas": [0.1, 1.0]} if make is RidgeDecoder else {}
            seen, blind = make(**given), make(**given)
            seen.fit(batches, batches, videos)
            blind.fit(batches, batches, hidden)
            predicted = blind.predict(spikes)
            assert np.isfinite(predicted.numpy()).all()
            assert torch.equal(predicted, seen.predict(spikes))
