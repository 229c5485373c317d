"""Two groups of scores compared: unpaired as published, and paired over conditions."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import special, stats

from mua_decode.types import HypothesisTable, InputError


def unpaired_t(
    a: np.ndarray, b: np.ndarray, *, question: str, group: str, metric: str, n_unit: str
) -> HypothesisTable:
    """Two-sided two-sample t-test of equal variances, as published (64 + 64 values, df 126).

    It ignores that the same conditions stand in both groups; :func:`paired_t` does not.

    Parameters
    ----------
    a, b
        float (A,) and (B,); NaN is dropped and counted in the note.
    question, group, metric
        Copied into the row.
    n_unit
        What one value is: ``"conditions"``, ``"recorded trials"``.

    Returns
    -------
    One row. ``effect`` is Cohen's d, (mean a − mean b) over the pooled standard deviation, with
    the exact 95 % interval that inverts the noncentral t distribution (Cumming and Finch 2001,
    doi 10.1177/0013164401614002). ``n`` is A + B.
    """
    left, right = _vector(a, "a"), _vector(b, "b")
    notes = _dropped(int(np.isnan(left).sum() + np.isnan(right).sum()), "value")
    left, right = left[~np.isnan(left)], right[~np.isnan(right)]
    row = _row(question, group, metric, n_unit, "two-sample t, two-sided, equal variances")
    row |= {"n": len(left) + len(right), "effect_name": "Cohen's d"}
    notes.append(f"{len(left)} against {len(right)}")
    if min(len(left), len(right)) < 2:
        return _finish(row, [*notes, "fewer than 2 values in a group"])
    difference = float(left.mean() - right.mean())
    df = len(left) + len(right) - 2
    row["df"] = df
    notes.append(f"mean difference {difference:.4g}")
    if _constant(left) and _constant(right):
        row |= {"p": 1.0, "statistic": 0.0} if _none(difference, left, right) else {}
        return _finish(row, [*notes, "no value varies within its group"])
    found = stats.ttest_ind(left, right)
    # t = d · scale, and t of the true effect is the noncentrality of the distribution of t
    scale = np.sqrt(len(left) * len(right) / (len(left) + len(right)))
    t = float(found.statistic)
    low, high = (float(special.nctdtrinc(df, q, t) / scale) for q in (0.975, 0.025))
    row |= {"statistic": t, "p": float(found.pvalue), "effect": t / scale, "low": low, "high": high}
    return _finish(row, notes)


def paired_t(
    a: np.ndarray, b: np.ndarray, *, question: str, group: str, metric: str, n_unit: str
) -> HypothesisTable:
    """Two-sided paired t-test of a − b.

    Parameters
    ----------
    a, b
        float (n,), value i of both belongs to one condition; a pair with a NaN is dropped and
        counted in the note.
    question, group, metric
        Copied into the row.
    n_unit
        What one pair is.

    Returns
    -------
    One row. ``effect`` is the mean difference with its 95 % t interval; Cohen's dz (mean over
    standard deviation of the differences) stands in the note. Without any difference p is 1; with
    fewer than two pairs, or differences that are all the same, it is NaN.
    """
    return _paired(a, b, _row(question, group, metric, n_unit, "paired t, two-sided"))


def wilcoxon_paired(
    a: np.ndarray, b: np.ndarray, *, question: str, group: str, metric: str, n_unit: str
) -> HypothesisTable:
    """Two-sided Wilcoxon signed-rank test of a − b; parameters and effect as :func:`paired_t`.

    Pairs without a difference carry no rank (Wilcoxon's treatment); the note counts them, and
    ``n`` counts all pairs.
    """
    return _paired(a, b, _row(question, group, metric, n_unit, "Wilcoxon signed rank, two-sided"))


def _paired(a: np.ndarray, b: np.ndarray, row: dict[str, object]) -> HypothesisTable:
    left, right = _vector(a, "a"), _vector(b, "b")
    if left.shape != right.shape:
        raise InputError(
            f"paired test: expected two equal lengths, found {len(left)}, {len(right)}"
        )
    both = ~(np.isnan(left) | np.isnan(right))
    notes = _dropped(int((~both).sum()), "pair")
    left, right = left[both], right[both]
    difference = left - right
    n = len(difference)
    row |= {"n": n, "effect_name": "mean difference"}
    rank = str(row["test"]).startswith("Wilcoxon")
    if n:
        row["effect"] = float(difference.mean())
    if n < 2:
        return _finish(row, [*notes, "fewer than 2 pairs"])
    if not rank:
        row["df"] = n - 1
    if not difference.any():
        row |= {"statistic": 0.0, "p": 1.0, "low": 0.0, "high": 0.0}
        return _finish(row, [*notes, "no pair differs"])
    varies = not _constant(difference, scale=float(np.abs([left, right]).max()))
    if varies:
        sd = float(difference.std(ddof=1))
        low, high = stats.t.interval(0.95, n - 1, difference.mean(), sd / np.sqrt(n))
        row |= {"low": float(low), "high": float(high)}
        notes.insert(0, f"Cohen's dz {difference.mean() / sd:.3g}")
    else:
        row |= {"low": row["effect"], "high": row["effect"]}
        notes.append("all pairs differ by the same amount")
    if rank:
        equal = int((difference == 0).sum())
        if equal:
            notes.append(f"{equal} pairs without a difference carry no rank")
        found = stats.wilcoxon(difference)
        row |= {"statistic": float(found.statistic), "p": float(found.pvalue)}
    elif varies:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RuntimeWarning)
            found = stats.ttest_rel(left, right)
        if caught:
            notes.append("differences are nearly the same: p is imprecise")
        row |= {"statistic": float(found.statistic), "p": float(found.pvalue)}
    return _finish(row, notes)


def _vector(values: np.ndarray, name: str) -> np.ndarray:
    out = np.asarray(values, dtype=float)
    if out.ndim != 1:
        raise InputError(f"test: {name} must hold one value per unit (n,), found {out.shape}")
    if np.isinf(out).any():
        raise InputError(f"test: {name} holds an infinite value")
    return out


def _constant(values: np.ndarray, *, scale: float = 0.0) -> bool:
    """Whether values vary by no more than rounding of numbers as large as they or ``scale``."""
    size = max(scale, float(np.abs(values).max()))
    return bool(np.ptp(values) <= 8 * np.finfo(float).eps * size)


def _none(difference: float, left: np.ndarray, right: np.ndarray) -> bool:
    size = max(float(np.abs(left).max()), float(np.abs(right).max()))
    return bool(abs(difference) <= 8 * np.finfo(float).eps * size)


def _dropped(number: int, what: str) -> list[str]:
    return [f"{number} {what}{'' if number == 1 else 's'} with NaN left out"] if number else []


def _row(question: str, group: str, metric: str, n_unit: str, test: str) -> dict[str, object]:
    return {
        "question": question, "group": group, "metric": metric, "n_unit": n_unit, "test": test,
    }  # fmt: skip


def _finish(row: dict[str, object], notes: list[str]) -> HypothesisTable:
    return HypothesisTable.from_rows([row | {"note": "; ".join(notes)}])
