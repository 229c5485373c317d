"""Chance: what the decoder scores on Gaussian noise, and what permuted conditions score."""

from __future__ import annotations

from typing import Literal, Unpack

import numpy as np

from mua_decode.statistics.comparison import unpaired_t
from mua_decode.statistics.permutation import block_orders, out_of_reach, rank_p
from mua_decode.statistics.units import Units
from mua_decode.types import HypothesisTable, InputError, Question

Better = Literal["higher", "lower"]  # which way a score is better: errors are better lower
_ALL_THE_SAME = "every score is the same, so that nothing follows from it"


def gaussian_input_null(
    scores_of_noise: np.ndarray,
    observed: float,
    *,
    n_unit: str = "reconstructions of Gaussian noise",
    better: Better = "higher",
    inputs: int | None = None,
    note: str = "",
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Compare a score with those of reconstructions of Gaussian noise inputs, one-sided.

    The inputs are the published ones (100; doi 10.1038/s42003-025-09486-7), the test is ours: the
    published one is :func:`noise_comparison`. It asks whether the
    decoder uses its input at all; a decoder that only classifies passes too. Raises InputError if
    ``better`` is neither, or the scores are no vector.

    Parameters
    ----------
    scores_of_noise
        float (n,), the score of each noise input, measured as ``observed`` was; NaN is dropped
        and counted in the note.
    inputs
        Noise inputs behind the scores, where these reuse them; what ``n`` then counts.

    Returns
    -------
    One row. p is the rank of the observed among the noise (:func:`rank_p`), never below
    1 / (1 + n); none where every score is the same. ``statistic`` is z, the distance to the mean
    of the noise in its standard deviations, positive when better. ``effect`` is observed − mean of
    the noise, with the interval that the central 95 % of the noise give it.
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
        **asked, "n_unit": n_unit, "n": len(scores) if inputs is None else inputs,
        "test": f"rank among reconstructions of Gaussian noise inputs, one-sided ({better})",
        "effect_name": "difference to the mean of the noise",
    }  # fmt: skip
    if np.isnan(observed) or not len(scores):
        notes.append("no observed score" if np.isnan(observed) else "no noise score")
        return HypothesisTable.of_test(row, notes)
    if np.allclose(scores, observed, rtol=1e-9, atol=1e-12):
        return HypothesisTable.of_test(row, [*notes, _ALL_THE_SAME])
    row |= _against(scores, observed, better)
    notes.append(out_of_reach(1 / (1 + len(scores)), len(scores), n_unit))
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
    if sd > 8 * np.finfo(float).eps * float(np.abs(scores).max()):
        row["statistic"] = _sign(better) * (observed - float(scores.mean())) / sd
        notes.append("statistic is z")
    else:
        notes.append("the noise scores do not vary, so there is no z")
    return HypothesisTable.of_test(row, notes)


def noise_comparison(
    values: np.ndarray,
    noise: np.ndarray,
    *,
    better: Better = "higher",
    n_unit: str = "condition averages, and noise inputs",
    note: str = "",
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Compare the scores of conditions with those of noise inputs as published: t, and a fraction.

    Zhang et al. 2026 (doi 10.1038/s42003-025-09486-7): 64 condition averages against 100
    predictions, two-sided, df 162; and the fraction of noise sequences beyond.

    Parameters
    ----------
    values, noise
        float (K,) and (n,): one score a condition, one a noise input; NaN is dropped.

    Returns
    -------
    Two rows: :func:`unpaired_t`, and the fraction of noise inputs that reach the mean of the
    values. The second has no p: a fraction of few sequences can be 0, which no p-value is.
    """
    tested = unpaired_t(values, noise, n_unit=n_unit, **asked).frame
    joined = f"{note}; " + tested["note"] if note else tested["note"]
    scores = np.asarray(noise, float)
    scores = scores[~np.isnan(scores)]
    mean = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    known = len(scores) and np.isfinite(mean)
    sign = _sign(better)
    row: dict[str, object] = {
        **asked, "n": len(scores), "n_unit": "noise inputs",
        "test": f"fraction of noise inputs at or beyond the mean ({better})",
        "effect_name": "fraction of noise inputs",
    }  # fmt: skip
    if known:
        row["effect"] = float((sign * scores >= sign * mean).mean())
    notes = [note] if note else []
    fraction = HypothesisTable.of_test(row, [*notes, "a fraction, no p-value"])
    return HypothesisTable.concat([HypothesisTable(tested.assign(note=joined)), fraction])


def label_permutation(
    table: np.ndarray,
    *,
    rng: np.random.Generator,
    better: Better = "higher",
    n: int = 9999,
    units: Units | None = None,
    note: str = "",
    **asked: Unpack[Question],
) -> HypothesisTable:
    """Test whether what belongs to a condition fits it better than the others, one-sided.

    The statistic is the mean of the diagonal; each of ``n`` permutations pairs every row with
    another column. What all conditions share (an onset, the mean video) raises every entry alike
    and cannot make the diagonal stand out. Raises InputError if the table is not square, ``better``
    is neither, n < 1, or units are given for another number of conditions.

    Parameters
    ----------
    table
        float (K, K): entry (i, j) scores what was made of condition i against condition j. A
        condition whose column is NaN throughout has nothing to be compared with and is left out;
        other NaN entries are left out of the mean.
    units
        Units of the K conditions, where some share presentations: a unit's conditions change places
        together with those of another unit of as many.

    Returns
    -------
    One row, whose ``n`` is the number of conditions, or of units, used. p is the rank of the
    statistic among the permutations (:func:`rank_p`). ``effect`` is the statistic minus the mean of
    the permutations, with the interval that their central 95 % give it. Fewer than two units, or
    scores that are all the same, have no p-value; units none of which can change places have p = 1.
    """
    table = np.asarray(table, float)
    if table.ndim != 2 or len(table) != table.shape[1]:
        raise InputError(f"label permutation: expected a table (K, K), found {table.shape}")
    if better not in ("higher", "lower") or n < 1:
        raise InputError(
            f"label permutation: expected better=higher or lower and n >= 1, found {better}, {n}"
        )
    known = ~np.isnan(table).all(axis=0)
    lost = f"{(~known).sum()} conditions without a score for what was shown left out"
    notes = [note, "" if known.all() else lost]
    units = Units.of("conditions" if units is None else units, len(table)).where(known)
    table = table[np.ix_(known, known)]
    each, unit = np.arange(len(table)), units.code
    row: dict[str, object] = {
        **asked, "n": len(np.unique(unit)), "n_unit": units.name,
        "test": f"label permutation over {units.name}, one-sided ({better}, {n})",
        "effect_name": "difference to the mean of permuted conditions",
    }  # fmt: skip
    reason = _untestable(table) if len(np.unique(unit)) > 1 else f"fewer than 2 {units.name}"
    if reason:
        return HypothesisTable.of_test(row, [*notes, reason])
    orders, number = block_orders(unit, n=n, rng=rng)
    notes.append(out_of_reach(max(1 / (1 + n), 1 / number), len(np.unique(unit)), units.name))
    observed = row_means(table[each, each][None])[0]
    row |= {"statistic": observed} | _against(row_means(table[each, orders]), observed, better)
    return HypothesisTable.of_test(row, notes)


def _untestable(table: np.ndarray) -> str:
    """Why a table (K, K) has no p-value; empty where it has one."""
    if np.isnan(table.diagonal()).all():
        return "no score on the diagonal"
    return _ALL_THE_SAME if np.nanmax(table) == np.nanmin(table) else ""


def _sign(better: str) -> int:
    return 1 if better == "higher" else -1


def _against(null: np.ndarray, observed: float, better: str) -> dict[str, object]:
    """One-sided p, and the difference to the mean of a null (n,) with its interval."""
    sign = _sign(better)
    low, high = observed - np.nanquantile(null, [0.975, 0.025])
    return {
        "p": float(rank_p(sign * null, sign * observed)),
        "effect": float(observed - np.nanmean(null)), "low": float(low), "high": float(high),
    }  # fmt: skip


def row_means(values: np.ndarray) -> np.ndarray:
    """Mean of every row of (n, K) over what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=1) / known.sum(axis=1))
