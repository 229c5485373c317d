"""One decoder against others on the same test conditions."""

from __future__ import annotations

from collections.abc import Sequence

from mua_decode.statistics import correct, paired_t
from mua_decode.types import HypothesisTable, ResultTable


def paired_over_conditions(
    table: ResultTable, *, reference: str, others: Sequence[str], correction: str = "holm"
) -> HypothesisTable:
    """Test whether a decoder's score differs from that of others, paired over conditions.

    Parameters
    ----------
    table
        Scores of all of them, one row per condition.
    reference, others
        Names in column ``run``.
    correction
        Method over the ``others`` of each metric; see :func:`mua_decode.statistics.correct`.

    Returns
    -------
    HypothesisTable
        One row per metric, segment, averaging and other; effect = reference − other. A value is
        the score of one condition: the mean over its single trials, or of its average video.
    """
    frame = table.frame[table.frame["condition"] != "all"]
    tests: list[HypothesisTable] = []
    kinds = frame[["metric", "segment", "trial"]].drop_duplicates()
    for metric, segment, trial in kinds.itertuples(index=False):
        rows = frame[(frame["metric"] == metric) & (frame["segment"] == segment)]
        wide = rows[rows["trial"] == trial].pivot(index="condition", columns="run", values="value")
        name = metric if segment == "all" else f"{metric}/{segment}"
        for other in others:
            if reference in wide and other in wide:
                tests.append(
                    paired_t(
                        wide[reference].to_numpy(float),
                        wide[other].to_numpy(float),
                        question=f"does {reference} score otherwise than the other?",
                        group=other,
                        metric=f"{trial}/{name}",
                        n_unit="conditions",
                    )
                )
    return correct(HypothesisTable.concat(tests), method=correction, within=("metric",))
