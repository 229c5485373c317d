"""The same run from several seeds, with intervals over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from mua_decode import figures
from mua_decode.analyses.repeat.statistics import seed_summary
from mua_decode.runs.build import build_data
from mua_decode.runs.source import (
    guessed,
    key,
    number,
    open_source,
    print_scores,
    unvaried,
    with_guesses_of,
    write_outputs,
)
from mua_decode.runs.variants import Variant, changed_config, run_variants
from mua_decode.types import InputError, Recording, ResultTable, whole


def run(cfg: DictConfig) -> ResultTable:
    """Train a run again from other seeds: other splits, pseudo-trials and weights.

    One network says nothing of the next. Where data.sites_per_region takes only some sites, other
    seeds take others. Directions that are undefined count as guesses. FOLDER/repeat holds
    results.csv (every seed), intervals.csv (mean, s.d. and 95 % intervals over seeds and
    conditions, of the decoder, its floors, and the decoder minus each floor), metrics.json,
    figures/ and one folder per seed. After Ctrl-C the same command goes on where it stopped.
    """
    source = open_source(cfg, "repeat")
    return repeat(
        source.cfg,
        source.folder,
        recording=source.recording,
        checkpoint=source.checkpoint,
        n_seeds=int(cfg.n_seeds),
    )


def repeat(
    source: DictConfig,
    folder: Path,
    *,
    recording: Recording,
    checkpoint: Path | None = None,
    n_seeds: int = 5,
    overrides: Sequence[str] = (),
) -> ResultTable:
    """Train from the seeds that follow a run's own; see :func:`run` for the files.

    Parameters
    ----------
    source
        Resolved config of a run.
    folder
        Where to write.
    checkpoint
        Best weights of the run; without it, or with overrides, its decoder is trained as well.
    n_seeds
        How many, the run's own among them.
    overrides
        Changes of ``source`` for every seed.

    Returns
    -------
    ResultTable
        The rows of every seed, ``split`` "test, seed_3".

    Raises
    ------
    InputError
        If fewer than two seeds are asked for, or none could be trained.
    """
    source = changed_config(source, overrides)
    if n_seeds < 2:
        raise InputError(f"n_seeds: expected at least 2, found {n_seeds}")
    first = int(source.seed)
    own = unvaried(
        source, folder, recording=recording, checkpoint=None if overrides else checkpoint
    )
    variants = {
        seed: Variant(f"seed_{seed}", (f"seed={seed}", f"data.seed={seed}"))
        for seed in range(first + 1, first + n_seeds)
    }
    found = run_variants(
        source, list(variants.values()), folder, recording=recording, what="network"
    )
    scored = with_guesses_of(found.tables, list(variants.values()), source, recording)
    tables = {first: guessed(own, source, build_data(source, recording))}
    tables |= {s: scored[v.name] for s, v in variants.items() if v.name in scored}
    table = ResultTable.concat(
        [
            ResultTable(t.frame.assign(split=t.frame["split"] + f", seed_{seed}"))
            for seed, t in tables.items()
        ]
    )
    summary = seed_summary(tables, rng=np.random.default_rng([first, 43]))
    title = f"{len(tables)} of {n_seeds} seeds"
    if source.data.split.unit == "pseudo_trial":
        title += ", LEAKING"
    scores = whole(summary[summary["minus"] == ""])
    metrics: dict[str, object] = {"n_seeds": n_seeds, "n_seeds_trained": len(tables)}
    for row in whole(summary).to_dict("records"):
        run = f"{row['run']}_minus_{row['minus']}" if row["minus"] else row["run"]
        name = key(run, row["trial"], row["metric"])
        for part in ("mean", "sd", "low", "high", "low_seeds", "high_seeds"):
            metrics[f"{name}/{part}"] = number(row[part])
    drawn = figures.comparison(
        scores.rename(columns={"mean": "value", "trial": "row", "run": "series"}),
        title=f"Mean over {title}",
        bars="95 % bootstrap over seeds and conditions",
    )
    write_outputs(
        folder,
        source,
        table,
        metrics=metrics,
        failures=found.failures,
        drawn={"seeds": drawn},
        tables={"intervals": summary},
    )
    single = scores[scores["trial"] == "single_trial"].rename(columns={"mean": "value"})
    print_scores(
        single, folder, title=f"{title}, single trials, mean ± s.d. over seeds", names=["run"]
    )
    return table
