"""Published chance: what the decoder scores when its input is Gaussian noise."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mua_decode.statistics.permutation import rank_p
from mua_decode.types import HypothesisTable, InputError


def gaussian_input_null(
    scores_of_noise: np.ndarray,
    observed: float,
    *,
    question: str,
    group: str,
    metric: str,
    n_unit: str = "reconstructions of Gaussian noise",
    better: Literal["higher", "lower"] = "higher",
    note: str = "",
) -> HypothesisTable:
    """Compare a score with those of reconstructions of Gaussian noise inputs, one-sided.

    The published chance (100 reconstructions; doi 10.1038/s42003-025-09486-7). It asks whether
    the decoder uses its input at all; a decoder that only classifies passes too.

    Parameters
    ----------
    scores_of_noise
        float (n,), the score of each noise input, measured as ``observed`` was; NaN is dropped
        and counted in the note.
    observed
        The score of the recorded activity.
    question, group, metric, n_unit, note
        Copied into the row.
    better
        Which way a score is better: ``"lower"`` for errors.

    Returns
    -------
    One row. p is the rank of the observed among the noise (:func:`rank_p`), never below
    1 / (1 + n); none where every score is the same. ``statistic`` is z, the distance to the mean
    of the noise in its standard deviations, positive when better. ``effect`` is observed − mean of
    the noise, with the interval that the central 95 % of the noise give it.

    Raises
    ------
    InputError
        If ``better`` is neither, or the scores are no vector.
    """
    if better not in ("higher", "lower"):
        raise InputError(f"gaussian input null: better must be higher or lower, found {better}")
    scores = np.asarray(scores_of_noise, float)
    if scores.ndim != 1:
        raise InputError(f"gaussian input null: expected scores (n,), found {scores.shape}")
    lost = int(np.isnan(scores).sum())
    scores = scores[~np.isnan(scores)]
    notes = [note] if note else []
    notes += [f"{lost} noise scores with NaN left out"] if lost else []
    row: dict[str, object] = {
        "question": question, "group": group, "metric": metric, "n_unit": n_unit,
        "test": f"rank among reconstructions of Gaussian noise inputs, one-sided ({better})",
        "n": len(scores), "effect_name": "difference to the mean of the noise",
    }  # fmt: skip
    if np.isnan(observed) or not len(scores):
        notes.append("no observed score" if np.isnan(observed) else "no noise score")
        return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
    if np.ptp(scores) == 0 and scores[0] == observed:
        notes.append("every score is the same, so that nothing follows from it")
        return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
    sign = 1 if better == "higher" else -1
    low, high = observed - np.quantile(scores, [0.975, 0.025])
    row |= {
        "p": float(rank_p(sign * scores, sign * observed)),
        "effect": float(observed - scores.mean()), "low": float(low), "high": float(high),
    }  # fmt: skip
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    if sd > 8 * np.finfo(float).eps * float(np.abs(scores).max()):
        row["statistic"] = sign * (observed - float(scores.mean())) / sd
        notes.append("statistic is z")
    else:
        notes.append("the noise scores do not vary, so there is no z")
    return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
