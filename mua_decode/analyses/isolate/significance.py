"""Tests of a network trained on one region: of its input, and of what it says of conditions."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from mua_decode.analyses.isolate.measures import Frames, colour_tests, measure_alone
from mua_decode.analyses.isolate.noise_inputs import (
    ShownTrials,
    compare_with_noise,
    independent_trials,
    noise_videos,
    published_comparison,
    score_noise_inputs,
)
from mua_decode.analyses.isolate.plan import IsolatePlan
from mua_decode.data.independence import condition_groups, unit_of
from mua_decode.runs.run import Run
from mua_decode.scoring.averages import Averages
from mua_decode.scoring.condition_tables import permutation_tests, tables_of
from mua_decode.statistics import Units
from mua_decode.types import HypothesisTable, LeakState, ResultTable

_LEAKS = {
    LeakState.FREE: "",
    LeakState.LEAKING: "recorded trials feed both training and test, so that noise may pass",
    LeakState.UNKNOWN: "recorded trials may feed both training and test (pooled before they were "
    "stored, or weights trained elsewhere), so that noise may pass",
}


@dataclass(frozen=True, eq=False)
class NetworkTests:
    """Chance rows (run ``chance/noise``) and tests of one network, not yet corrected.

    The tests are the published ones against noise inputs (metric ``against_noise/ssim``), ranks
    among pairings of noise inputs (``ssim``) and permutations of conditions
    (``trial_average/ssim``). ``measures`` are those of :func:`measure_alone`, with the column
    ``mask``; ``frames`` are to be looked at.
    """

    chance: tuple[ResultTable, ...]
    tests: tuple[HypothesisTable, ...]
    measures: pd.DataFrame
    frames: Frames


@torch.no_grad()
def network_tests(run: Run, table: ResultTable, plan: IsolatePlan) -> NetworkTests:
    """Test a network thrice, as far as the plan asks for it, and measure what it decodes.

    ``table`` holds its scores, one mask, undefined trials counted as guesses.
    """
    chance: list[ResultTable] = []
    tests: list[HypothesisTable] = []
    mask = str(table.frame["mask"].iloc[0])
    data, part, metrics = run.data, run.scored_part, run.metrics
    higher = {m.name: m.higher_is_better for m in metrics}
    candidates = data.mean_videos(None).clone()  # plain: metrics may remember things of it
    averages = Averages(candidates)
    for _ in averages.over(lambda batch: run.decode(batch.spikes), data.batches(part)):
        pass
    noise = candidates[:0]
    groups = condition_groups(data)[averages.present.numpy()]
    if plan.noise_inputs:
        trials = ShownTrials.of(data, part)
        noise = noise_videos(
            run.decode, trials.input_shape, number=plan.noise_inputs, seed=run.seed
        )
        scores = score_noise_inputs(
            run.decode, trials, metrics=metrics, number=plan.noise_inputs, seed=run.seed
        )
        rows, test = compare_with_noise(
            scores, table, mask=mask, higher_is_better=higher, seed=run.seed,
            independent=independent_trials(data.pseudo_trials(part)), groups=groups,
        )  # fmt: skip
        chance.append(rows)
        tests += [test, published_comparison(scores, table, mask=mask, higher_is_better=higher)]
    measures = measure_alone(averages, noise, metrics=metrics, stimuli=data.stimuli)
    tests.append(colour_tests(measures, mask=mask))
    if plan.permutations:
        found = tables_of(averages, candidates=candidates, metrics=metrics, stimuli=data.stimuli)
        tests.append(
            permutation_tests(
                found,
                group=mask,
                higher_is_better=higher,
                seed=run.seed,
                n=plan.permutations,
                units=Units.crossed([(unit_of(groups), groups)]),
                note=_LEAKS[data.leaks],
            )
        )
    frames = Frames.of(averages, noise)
    return NetworkTests(tuple(chance), tuple(tests), measures.assign(mask=mask), frames)
