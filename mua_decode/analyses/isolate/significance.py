"""Tests of networks trained on one region: of their input, and of what they say of conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mua_decode.analyses.isolate.noise_inputs import compare_with_noise, score_noise_inputs
from mua_decode.data import DecodingData
from mua_decode.data.independence import condition_groups
from mua_decode.metrics import VideoMetric
from mua_decode.runs.build import build_data, build_task, load_weights
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.progress import track
from mua_decode.runs.source import device_of, scored_part
from mua_decode.runs.variants import Variant, changed_config, hushed
from mua_decode.scoring.condition_tables import condition_tables, permutation_tests
from mua_decode.statistics import correct
from mua_decode.types import HypothesisTable, Recording, ResultTable

_LEAKING = "recorded trials feed both training and test, so that noise may pass"
_LINKED = "conditions share recorded trials, so that p is too small"


@dataclass(frozen=True, eq=False)
class NetworkTests:
    """Chance rows and corrected tests of all networks.

    Parameters
    ----------
    chance
        Rows of run ``chance/noise``, one mask per network.
    tests
        Ranks among noise inputs (metric ``ssim``) and permutations of conditions (metric
        ``trial_average/ssim``), corrected over the networks of each.
    """

    chance: tuple[ResultTable, ...]
    tests: HypothesisTable


def network_tests(
    source: DictConfig,
    variants: Mapping[str, Variant],
    folder: Path,
    tables: Mapping[str, ResultTable],
    *,
    recording: Recording,
    noise_inputs: int,
    permutations: int,
    correction: str,
) -> NetworkTests:
    """Test every network twice.

    Parameters
    ----------
    variants, tables
        By mask; the tables count undefined trials as guesses.
    folder
        Holds a folder per variant with its weights.
    noise_inputs, permutations
        How many; 0: no such test.
    correction
        Over the networks of each metric and test.
    """
    chance: list[ResultTable] = []
    tests: list[HypothesisTable] = []
    masks = tables if noise_inputs or permutations else {}
    for mask in track(list(masks), "testing the networks", len(masks)):
        variant = variants[mask]
        cfg = changed_config(source, variant.overrides)
        with hushed():
            data = build_data(cfg, recording)
            rows, found = _of_one(
                cfg, RunFolder(folder / variant.name), data, tables[mask],
                mask=mask, noise_inputs=noise_inputs, permutations=permutations,
            )  # fmt: skip
        chance += rows
        tests += found
    stacked = HypothesisTable.concat(tests) if tests else HypothesisTable.from_rows([])
    return NetworkTests(
        tuple(chance), correct(stacked, method=correction, within=("metric", "test"))
    )


def _of_one(
    cfg: DictConfig,
    run: RunFolder,
    data: DecodingData,
    table: ResultTable,
    *,
    mask: str,
    noise_inputs: int,
    permutations: int,
) -> tuple[list[ResultTable], list[HypothesisTable]]:
    task = build_task(cfg, data)
    load_weights(task, run.checkpoint("best"))
    device = device_of(cfg)
    task.to(device).eval()
    metrics: list[VideoMetric] = [instantiate(m) for m in cfg.metric.values()]
    higher = {m.name: m.higher_is_better for m in metrics}
    part = scored_part(data)
    seed = int(cfg.seed)
    candidates = data.mean_videos(None)
    chance: list[ResultTable] = []
    tests: list[HypothesisTable] = []
    if noise_inputs:
        pseudo = data.dataset(part).pseudo
        scores = score_noise_inputs(
            lambda spikes: task(spikes.to(device)),
            (data.n_bins, data.n_sites),
            trial_condition=pseudo.condition,
            trial_video=pseudo.video,
            candidates=candidates,
            metrics=metrics,
            stimuli=data.stimuli,
            number=noise_inputs,
            seed=seed,
        )
        rows, test = compare_with_noise(
            scores, table, mask=mask, higher_is_better=higher, seed=seed
        )
        chance.append(rows)
        tests.append(test)
    if permutations:
        found = condition_tables(
            lambda spikes: task(spikes.to(device)),
            data.batches(part),
            candidates=candidates,
            metrics=metrics,
            stimuli=data.stimuli,
        )
        groups = condition_groups(data)
        notes = [
            _LINKED if len(np.unique(groups)) < len(groups) else "",
            _LEAKING if data.leaking else "",
        ]
        tests.append(
            permutation_tests(
                found,
                group=mask,
                higher_is_better=higher,
                seed=seed,
                n=permutations,
                note="; ".join(n for n in notes if n),
            )
        )
    return chance, tests
