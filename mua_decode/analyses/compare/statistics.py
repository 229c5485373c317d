"""One decoder against others on the same test conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mua_decode.data.independence import group_means, unit_of
from mua_decode.scoring.guesses import GUESSES
from mua_decode.scoring.units import NamedUnits
from mua_decode.statistics import correct, paired_t, unit_t
from mua_decode.types import HypothesisTable, Question, ResultTable


def paired_over_conditions(
    table: ResultTable,
    *,
    reference: str,
    others: Sequence[str],
    correction: str = "holm",
    groups: Mapping[str, int] | None = None,
    units: Mapping[str, NamedUnits] | None = None,
) -> HypothesisTable:
    """Test whether a decoder's score differs from that of others, paired over conditions.

    Parameters
    ----------
    table
        Scores of all of them, one row per condition, undefined trials counted as guesses
        (:func:`mua_decode.scoring.guesses.table_with_guesses`) for all alike.
    reference, others
        Names in column ``run``: other networks, floors.
    correction
        Method over the ``others`` of each metric; see :func:`mua_decode.statistics.correct`.
    groups
        Label of every condition by its name; scores are averaged within a group first, since
        conditions that share recorded trials are not independent
        (:func:`mua_decode.data.independence.condition_groups`). ``None``: each its own.
    units
        What conditions share that a metric depends on, by metric
        (:func:`mua_decode.scoring.units.shared_units`).

    Returns
    -------
    HypothesisTable
        One row per metric, segment, averaging and other; effect = reference - other. A value is
        the score of one condition: the mean over its single trials, or of its average video.
        Conditions in which either is undefined are left out before groups are averaged. The paired
        test speaks for these conditions; a second one, over the means of units that conditions
        share, for other cues, colours or directions like these.
    """
    frame = table.frame[table.frame["condition"] != "all"]
    tests: list[HypothesisTable] = []
    kinds = frame[["metric", "segment", "trial"]].drop_duplicates()
    for metric, segment, trial in kinds.itertuples(index=False):
        rows = frame[(frame["metric"] == metric) & (frame["segment"] == segment)]
        rows = rows[rows["trial"] == trial]
        wide = rows.pivot(index="condition", columns="run", values="value")  # noqa: PD010
        name = metric if segment == "all" else f"{metric}/{segment}"
        of = np.arange(len(wide)) if groups is None else np.array([groups[c] for c in wide.index])
        for other in others:
            if reference not in wide or other not in wide:
                continue
            asked: Question = {
                "question": f"does {reference} score otherwise than the other?",
                "group": other,
                "metric": f"{trial}/{name}",
            }
            shared = None if units is None else units.get(metric)
            tests += _of_pair(wide[[reference, other]], of, shared, asked)
    return correct(
        _say_guesses(HypothesisTable.concat(tests)), method=correction, within=("metric", "test")
    )


def _of_pair(
    pair: pd.DataFrame, groups: np.ndarray, units: NamedUnits | None, asked: Question
) -> list[HypothesisTable]:
    """Tests of two columns of scores, a row a condition: over groups (K,), and over units."""
    values = pair.to_numpy(float, copy=True)
    values[np.isnan(values).any(axis=1)] = np.nan
    left, right = group_means(values, groups).T
    tests = [paired_t(left, right, n_unit=unit_of(groups), **asked)]
    if units is not None:
        tests.append(unit_t(values[:, 0] - values[:, 1], units.of(pair.index.tolist()), **asked))
    return tests


def _say_guesses(tests: HypothesisTable) -> HypothesisTable:
    """Note where undefined trials were counted as guesses."""
    note = tests.frame["note"]
    guessed = tests.frame["metric"].str.split("/").str[1].map(GUESSES)
    said = "undefined trials count as " + guessed.map("{:g}".format)
    note = note.where(guessed.isna(), (note + "; " + said).str.removeprefix("; "))
    return HypothesisTable(tests.frame.assign(note=note))
