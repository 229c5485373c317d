"""Networks that never saw some conditions, asked to decode them."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.analyses.generalise.sets import HeldOutSet, attributes, held_out_sets
from mua_decode.data.splitting import match_conditions
from mua_decode.runs.source import headlines
from mua_decode.runs.variants import Variant
from mua_decode.types import ResultTable, StimulusSet

TRAINED_WITH = "decoder trained with them"
_METRIC = "mua_decode.metrics.AttributeIdentification"


@dataclass(frozen=True, kw_only=True)
class HeldOutPlan:
    """Which conditions are held out; see :func:`mua_decode.analyses.generalise.sets.held_out_sets`.

    Parameters
    ----------
    combinations
        Colour × direction combinations, each held out on its own.
    pairs
        Share of the conditions held out as pairs of cue and stimulus.
    others
        Sets of movies, or of conditions where there is neither.
    sets
        Sets of your own instead: names or patterns of the conditions of each.
    """

    combinations: int = 2
    pairs: float = 0.125
    others: int = 2
    sets: Sequence[Sequence[str]] | None = None

    def choose(self, stimuli: StimulusSet, *, seed: int) -> list[HeldOutSet]:
        """The sets for a recording; none where every number is 0."""
        if self.sets is not None:
            return [
                HeldOutSet(f"set_{i}", ", ".join(patterns), found)
                for i, patterns in enumerate(self.sets)
                for found in [match_conditions(patterns, stimuli.names)]
            ]
        task = {"colour", "direction_deg"} <= set(stimuli.conditions.columns)
        if not (self.combinations or self.pairs if task else self.others):
            return []
        return held_out_sets(
            stimuli.conditions,
            combinations=self.combinations,
            pairs=self.pairs,
            others=self.others,
            seed=seed,
        )


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
            among = list(chosen.conditions)
            overrides.append(
                _override(
                    "held_out_identified", attribute="among_held_out", labels=every, among=among
                )
            )
        variants[chosen] = Variant(f"held_out_{chosen.name}", tuple(overrides))
    return variants


def _override(name: str, **options: object) -> str:
    given = {"_target_": _METRIC, "similarity": "correlation", **options}
    return f"metric.{name}={json.dumps(given, ensure_ascii=False)}"


def label_held_out(
    tables: Mapping[HeldOutSet, ResultTable], own: ResultTable, names: Sequence[str]
) -> ResultTable:
    """Tables of the sets as one, and the decoder that was trained with them beside each.

    ``split`` becomes "test, held out red_90". Rows of the decoder trained with the conditions
    (run ``decoder trained with them``) are its scores on the same conditions, on the test trials
    of the run; each condition counts the same in its mean.
    """
    rows: list[pd.DataFrame] = []
    for chosen, table in tables.items():
        inside = {names[k] for k in chosen.conditions}
        mine = own.frame[(own.frame["run"] == "decoder") & own.frame["condition"].isin(inside)]
        keys = [c for c in mine.columns if c not in ("condition", "value", "n")]
        whole = mine.groupby(keys, sort=False, as_index=False).agg({"value": "mean", "n": "sum"})
        known = pd.concat([mine, whole.assign(condition="all")]).assign(run=TRAINED_WITH)
        both = pd.concat([table.frame, known[table.frame.columns]], ignore_index=True)
        rows.append(both.assign(split=both["split"] + f", held out {chosen.name}"))
    return ResultTable(pd.concat(rows, ignore_index=True))


def drawn_held_out(table: ResultTable) -> pd.DataFrame:
    """Headline scores, one row per set and run, as figures and printed tables take them."""
    frame = headlines(table)
    frame = frame.assign(row=frame["split"].str.split(", held out ").str[-1], series=frame["run"])
    order = ["decoder", TRAINED_WITH, *dict.fromkeys(frame["run"])]
    rank = {name: i for i, name in reversed(list(enumerate(order)))}
    frame = frame.sort_values("series", key=lambda s: s.map(rank), kind="stable")
    frame = frame.sort_values("row", key=lambda s: s.map(list(s.unique()).index), kind="stable")
    return frame.assign(low=np.nan, high=np.nan)
