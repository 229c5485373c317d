"""Masking finds the regions that were planted, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.analyses.ablate.losses import (
    loss_table,
    loss_tests,
    mean_losses,
    mean_over_rings,
)
from mua_decode.analyses.ablate.masks import no_mask, region_masks, subset_masks
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.analyses.ablate.scorer import MaskScorer
from mua_decode.analyses.ablate.shapley import shapley_table
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan, Window
from mua_decode.metrics import Colour, CuePixels, Motion
from mua_decode.models.lookup import LookupDecoder
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.runs.plan import read_plan

PLANTED = {"cue_pixels": "V4", "colour_error": "LIP", "direction_error": "MT"}
SILENT = ["PFC", "FEF"]
METRICS = [CuePixels(), Colour(points="quartiles"), Motion()]


@pytest.fixture(scope="module")
def data() -> DecodingData:
    recording = build_recording(compose("train", ["recording=simulated_small", "seed=0"]))
    return DecodingData(
        recording,
        window=Window(width_s=0.1, step_s=0.1),
        split=SplitPlan(),
        pseudo=PseudoTrialPlan(per_condition=60, fresh=False),
        seed=0,
    )


@pytest.fixture(scope="module")
def decode(data: DecodingData) -> Callable[[torch.Tensor], torch.Tensor]:
    """A lookup decoder stands in for the network: it is fitted in no time."""
    decoder = LookupDecoder()

    def train() -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(b.spikes, b.condition) for b in data.batches("train")]

    decoder.fit(train, train, data.mean_videos("train"))
    return decoder.predict


@pytest.fixture(scope="module")
def losses(decode: Callable[[torch.Tensor], torch.Tensor], data: DecodingData) -> pd.DataFrame:
    """Over three rings of donors: with 8 conditions, one may swap few colours by chance."""
    plan = read_plan(AblationPlan, compose("ablate", ["trials_per_condition=null"]))
    sites, scored = data.pool.sites, []
    for ring in range(3):
        scorer = MaskScorer(decode, data, replace(plan, seed=ring), metrics=METRICS, fill="shuffle")
        masks = [*([] if ring else [no_mask(sites)]), *region_masks(sites)]
        scored += [scorer.score(m) for m in masks]
    guess = {"direction_error": 90.0}
    return mean_over_rings(
        loss_table(scored, metrics=METRICS, names=data.stimuli.names, guess=guess)
    )


def test_the_region_with_the_largest_planted_weight_loses_most(losses: pd.DataFrame) -> None:
    means = mean_losses(losses, rng=np.random.default_rng(0))
    first = means[(means["rank"] == 1) & (means["trial"] == "single_trial")]
    assert first.set_index("metric")["removed"].to_dict() == PLANTED


def test_a_region_planted_with_nothing_is_not_significant(losses: pd.DataFrame) -> None:
    tests = loss_tests(losses, rng=np.random.default_rng(0)).frame
    paired = tests[tests["test"].str.startswith("paired") & tests["group"].isin(SILENT)]
    assert len(paired) == len(SILENT) * len(METRICS) * 2
    assert not (paired["p_corrected"] < 0.05).any()


def test_shapley_values_agree_and_sum_to_the_score(
    decode: Callable[[torch.Tensor], torch.Tensor], data: DecodingData
) -> None:
    """Over six rings of donors: LIP and MT are close in colour, one ring may put either first."""
    values: list[pd.DataFrame] = []
    for ring in range(6):
        options = ["trials_per_condition=2", f"seed={ring}"]
        plan = read_plan(AblationPlan, compose("ablate", options))
        scorer = MaskScorer(decode, data, plan, metrics=METRICS[:2], fill="shuffle")
        subsets = [scorer.score(m) for m in subset_masks(data.pool.sites)]
        table = shapley_table(subsets, metrics=METRICS[:2], guess={}, seed=0)
        values.append(table[table["trial"] == "single_trial"])
    for _, rows in values[0].groupby("metric"):
        gained = rows["full"].iloc[0] - rows["nothing"].iloc[0]
        assert abs(rows["value"].sum() - gained) < 1e-6
    mean = pd.concat(values).pivot_table(index="metric", columns="region", values="value")
    assert mean.idxmin(axis=1).to_dict() == {m.name: PLANTED[m.name] for m in METRICS[:2]}
