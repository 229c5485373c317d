"""The same run from several seeds, with intervals over them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from mua_decode import figures
from mua_decode.analyses.repeat.mixed import mixed_seeds
from mua_decode.analyses.repeat.plan import RepeatPlan
from mua_decode.analyses.repeat.statistics import seed_summary
from mua_decode.runs.findings import Findings, score_table, stamp
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variants, score_unvaried
from mua_decode.scoring.flat import key, number
from mua_decode.scoring.units import shared_units
from mua_decode.types import ResultTable, Stream, whole

_NUMBERS = ("mean", "sd", "low", "high", "low_seeds", "high_seeds", "units_low", "units_high")


def repeat(source: Run, plan: RepeatPlan, folder: Path) -> Findings:
    """Train from the seeds that follow a run's own, in folders of ``folder``.

    Raises InputError if no other seed could be trained.

    Returns
    -------
    Findings
        Results hold the rows of every seed, ``split`` "test, seed_3".
    """
    first = source.seed
    scored = score_unvaried(source, folder)
    own, data = scored.counted, scored.run.data
    variants = [
        Variant(f"seed_{seed}", (f"seed={seed}", f"data.seed={seed}"))
        for seed in range(first + 1, first + plan.n_seeds)
    ]
    outcome = run_variants(
        source, variants, folder, lambda _, s: (s.run.seed, s.counted), what="network"
    )
    tables = {first: own} | dict(outcome.found.values())
    frames = [t.frame.assign(split=t.frame["split"] + f", seed_{s}") for s, t in tables.items()]
    table = ResultTable(pd.concat(frames, ignore_index=True))
    units = shared_units(data, own.frame["metric"].unique().tolist())
    summary = seed_summary(tables, rng=Stream.SEED_INTERVALS.rng(first), units=units)
    mixed = mixed_seeds(tables, units=units) if plan.mixed else pd.DataFrame()
    title = f"{len(tables)} of {plan.n_seeds} seeds{source.leaks.mark}"
    scores = whole(summary[summary["minus"] == ""])
    trained = {"n_seeds": plan.n_seeds, "n_seeds_trained": len(tables)}
    metrics = stamp(source, outcome.failures) | trained
    for row in whole(summary).to_dict("records"):
        run = f"{row['run']}_minus_{row['minus']}" if row["minus"] else row["run"]
        name = key(run, row["trial"], row["metric"])
        metrics |= {f"{name}/{part}": number(row[part]) for part in _NUMBERS}
    drawn = partial(
        figures.comparison,
        scores.rename(columns={"mean": "value", "trial": "row", "run": "series"}),
        title=f"Mean over {title}",
        bars="95 % over seeds and conditions",
    )
    single = scores[scores["trial"] == "single_trial"].rename(columns={"mean": "value"})
    said = f"{title}, single trials, mean ± s.d. over seeds"
    return Findings(
        results=table,
        metrics=metrics,
        tables={"intervals": summary, "mixed": mixed},
        figures={"seeds": drawn},
        screen=[score_table(single, title=said, names=["run"])],
    )
