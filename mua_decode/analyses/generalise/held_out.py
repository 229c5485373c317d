"""Networks that never saw some conditions, asked to decode them."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mua_decode.analyses.generalise.plan import HeldOutPlan
from mua_decode.analyses.generalise.sets import HeldOutSet, attributes, held_out_sets
from mua_decode.data.splitting import match_conditions
from mua_decode.runs.findings import headlines
from mua_decode.runs.variants import Variant
from mua_decode.scoring.flat import key, number
from mua_decode.types import ResultTable, StimulusSet

TRAINED_WITH = "decoder trained with them"
_METRIC = "mua_decode.metrics.AttributeIdentification"


def choose_sets(plan: HeldOutPlan, stimuli: StimulusSet, *, seed: int) -> list[HeldOutSet]:
    """The sets for a recording; none where every number is 0."""
    if plan.sets is not None:
        return [
            HeldOutSet(f"set_{i}", ", ".join(patterns), match_conditions(patterns, stimuli.names))
            for i, patterns in enumerate(plan.sets)
        ]
    task = {"colour", "direction_deg"} <= set(stimuli.conditions.columns)
    if not (plan.combinations or plan.pairs if task else plan.others):
        return []
    return held_out_sets(stimuli.conditions, plan, seed=seed)


def attribute_metrics(stimuli: StimulusSet) -> tuple[str, ...]:
    """Overrides that add a metric for cue, colour and direction: is the nearest video's right?"""
    return tuple(
        _override(f"{name}_identified", attribute=name, labels=labels)
        for name, labels in attributes(stimuli.conditions).items()
    )


def held_out_variants(
    sets: Sequence[HeldOutSet], stimuli: StimulusSet
) -> dict[HeldOutSet, Variant]:
    """One variant per set; with more than one condition also identified among those held out."""
    variants: dict[HeldOutSet, Variant] = {}
    for chosen in sets:
        names = [glob.escape(stimuli.names[k]) for k in chosen.conditions]
        overrides = [
            "data.split.unit=condition",
            "data.split.n_folds=null",
            f"data.split.held_out={json.dumps(names, ensure_ascii=False)}",
        ]
        if len(chosen.conditions) > 1:
            every = [str(k) for k in range(stimuli.n_conditions)]
            options = {"attribute": "among_held_out", "labels": every, "among": chosen.conditions}
            overrides.append(_override("held_out_identified", **options))
        variants[chosen] = Variant(f"held_out_{chosen.name}", tuple(overrides))
    return variants


def _override(name: str, **options: object) -> str:
    given = {"_target_": _METRIC, "similarity": "correlation", **options}
    return f"+metric.{name}={json.dumps(given, ensure_ascii=False)}"


def label_held_out(
    tables: Mapping[HeldOutSet, ResultTable], own: ResultTable, names: Sequence[str]
) -> tuple[ResultTable, pd.DataFrame]:
    """Tables of the sets as one, and the decoder that was trained with them beside each.

    ``split`` becomes "test, held out red_90". Rows of the decoder trained with the conditions
    (run ``decoder trained with them``) are its scores on the same conditions, on the test trials
    of the run; each condition counts the same in its mean.

    Returns
    -------
    The table, and its headline scores as figures and printed tables take them: one row per set
    (column ``row``), run (column ``series`` too) and metric.
    """
    parts: list[pd.DataFrame] = []
    drawn: list[pd.DataFrame] = []
    for chosen, table in tables.items():
        inside = {names[k] for k in chosen.conditions}
        mine = own.frame[(own.frame["run"] == "decoder") & own.frame["condition"].isin(inside)]
        keys = [c for c in mine.columns if c not in ("condition", "value", "n")]
        whole = mine.groupby(keys, sort=False, as_index=False).agg({"value": "mean", "n": "sum"})
        known = pd.concat([mine, whole.assign(condition="all")]).assign(run=TRAINED_WITH)
        both = pd.concat([table.frame, known[table.frame.columns]], ignore_index=True)
        parts.append(both.assign(split=both["split"] + f", held out {chosen.name}"))
        shown = headlines(ResultTable(parts[-1]))
        order = dict.fromkeys(["decoder", TRAINED_WITH, *shown["run"]])
        shown = pd.concat([shown[shown["run"] == run] for run in order])
        drawn.append(shown.assign(row=chosen.name, series=shown["run"], low=np.nan, high=np.nan))
    return ResultTable(pd.concat(parts, ignore_index=True)), pd.concat(drawn, ignore_index=True)


def held_out_metrics(
    sets: Iterable[HeldOutSet], shown: pd.DataFrame
) -> dict[str, str | float | None]:
    """What every set tests, and flat keys ``held_out/SET/RUN/single_trial/METRIC``."""
    found: dict[str, str | float | None] = {f"held_out/{s.name}/what": s.what for s in sets}
    for row in shown.to_dict("records"):
        name = key("held_out", row["row"], row["run"], "single_trial", row["metric"])
        found[name] = number(row["value"])
    return found
