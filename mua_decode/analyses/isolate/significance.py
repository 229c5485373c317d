"""Tests of a network trained on one region: of its input, and of what it says of conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mua_decode.analyses.isolate.noise_inputs import (
    ShownTrials,
    compare_with_noise,
    score_noise_inputs,
)
from mua_decode.analyses.isolate.plan import IsolatePlan
from mua_decode.data.independence import condition_groups
from mua_decode.runs.run import Run
from mua_decode.scoring.condition_tables import condition_tables, permutation_tests
from mua_decode.types import HypothesisTable, LeakState, ResultTable

_LEAKS = {
    LeakState.FREE: "",
    LeakState.LEAKING: "recorded trials feed both training and test, so that noise may pass",
    LeakState.UNKNOWN: "recorded trials may feed both training and test (pooled before they were "
    "stored), so that noise may pass",
}
_LINKED = "conditions share recorded trials, so that p is too small"


@dataclass(frozen=True, eq=False)
class NetworkTests:
    """Chance rows (run ``chance/noise``) and tests of one network, not yet corrected.

    The tests are ranks among noise inputs (metric ``ssim``) and permutations of conditions (metric
    ``trial_average/ssim``).
    """

    chance: tuple[ResultTable, ...]
    tests: tuple[HypothesisTable, ...]


@torch.no_grad()
def network_tests(run: Run, table: ResultTable, plan: IsolatePlan) -> NetworkTests:
    """Test a network twice, as far as the plan asks for it.

    ``table`` holds its scores, one mask, undefined trials counted as guesses.
    """
    chance: list[ResultTable] = []
    tests: list[HypothesisTable] = []
    mask = str(table.frame["mask"].iloc[0])
    data, part, metrics = run.data, run.scored_part, run.metrics
    higher = {m.name: m.higher_is_better for m in metrics}
    if plan.noise_inputs:
        trials = ShownTrials.of(data, part)
        scores = score_noise_inputs(
            run.decode, trials, metrics=metrics, number=plan.noise_inputs, seed=run.seed
        )
        rows, test = compare_with_noise(
            scores, table, mask=mask, higher_is_better=higher, seed=run.seed
        )
        chance.append(rows)
        tests.append(test)
    if plan.permutations:
        found = condition_tables(
            run.decode,
            data.batches(part),
            candidates=data.mean_videos(None),
            metrics=metrics,
            stimuli=data.stimuli,
        )
        groups = condition_groups(data)
        linked = len(np.unique(groups)) < len(groups)
        notes = [_LINKED if linked else "", _LEAKS[data.leaks]]
        tests.append(
            permutation_tests(
                found,
                group=mask,
                higher_is_better=higher,
                seed=run.seed,
                n=plan.permutations,
                note="; ".join(n for n in notes if n),
            )
        )
    return NetworkTests(tuple(chance), tuple(tests))
