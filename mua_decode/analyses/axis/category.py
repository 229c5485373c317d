"""Does a site follow an axis within categories, or a category beyond the kept components?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.plan import SignificancePlan
from mua_decode.analyses.axis.statistics import column_of_p
from mua_decode.statistics import adjust
from mua_decode.types import HypothesisTable, StimulusSet

_FREE = 10  # residual degrees of freedom below which nothing is compared


@dataclass(frozen=True, eq=False)
class Categories:
    """Per site: adjusted R² of three models, two nested F tests, and which pattern they make."""

    # ``axis_r2``, ``category_r2``, ``both_r2``; ``axis_beyond_category_p`` and
    # ``category_beyond_axis_p`` with their ``_corrected``; ``pattern``: axis, category, both or
    # neither.
    sites: pd.DataFrame
    tests: HypothesisTable


def categories_of(
    stimuli: StimulusSet, condition: np.ndarray, column: str | None
) -> np.ndarray | None:
    """Category of every condition (K,), or ``None`` where the stimuli have fewer than two."""
    if column is None or column not in stimuli.conditions:
        return None
    found = stimuli.conditions[column].astype(str).to_numpy()[condition]
    return found if len(np.unique(found)) > 1 else None


def compare_categories(
    x: np.ndarray,
    y: np.ndarray,
    category: Sequence[str] | np.ndarray,
    sites: pd.DataFrame,
    *,
    plan: SignificancePlan,
    richer: np.ndarray | None = None,
) -> Categories | None:
    """Compare, site by site, any axis of the kept components with category means, over all images.

    Three least-squares models of the mean responses y (K, N): a constant and the components x
    (K, P); a constant per category (K,); both. F tests of what the larger adds to either smaller
    one. An axis is linear: a site that bends along its axis can prefer a category beyond it.
    ``sites`` has a row per site. An axis that leaves the kept components looks like a category
    beyond them where categories differ in what was dropped. So the category's test is repeated with
    more components, ``richer`` (K, Q), and a site is called category or both only if it holds
    against both (column ``category_beyond_more_p``, ``_corrected``); no number of components can
    show that no axis would do. ``None`` where images are too few for the largest model.
    """
    found = _compare(x, y, category, sites, plan=plan)
    if found is None:
        return None
    table, tests = found.sites, [found.tests]
    if richer is not None and richer.shape[1] > x.shape[1]:
        more = _compare(richer, y, category, sites, plan=plan)
        if more is not None:
            for suffix in ("p", "p_corrected"):
                again = more.sites[f"category_beyond_axis_{suffix}"].to_numpy(float)
                table[f"category_beyond_more_{suffix}"] = again
            frame = more.tests.frame
            row = frame[frame["metric"] == "category_beyond_axis"].copy()
            row["metric"] = "category_beyond_more"
            row["note"] = (
                f"column category_beyond_more_p of categories.csv; {richer.shape[1]} components in "
                f"place of {x.shape[1]}"
            )
            tests.append(HypothesisTable(row))
            table["pattern"] = _pattern(table, plan.alpha)
    return Categories(table, HypothesisTable.concat(tests))


def _compare(
    x: np.ndarray,
    y: np.ndarray,
    category: Sequence[str] | np.ndarray,
    sites: pd.DataFrame,
    *,
    plan: SignificancePlan,
) -> Categories | None:
    """The comparison at one number of components."""
    label = np.unique(np.asarray(category), return_inverse=True)[1]
    groups = np.eye(label.max() + 1)[label]
    ones = np.ones((len(x), 1))
    models = {
        "axis": np.concatenate([ones, x - x.mean(axis=0)], axis=1),
        "category": groups,
        "both": np.concatenate([groups, x - x.mean(axis=0)], axis=1),
    }
    rss, rank = {}, {}
    for name, design in models.items():
        u, s, _ = np.linalg.svd(design, full_matrices=False)
        u = u[:, s > 1e-9 * s[0]]
        rss[name] = np.square(y - u @ (u.T @ y)).sum(axis=0)
        rank[name] = u.shape[1]
    free = len(y) - rank["both"]
    if free < _FREE:
        return None
    spread = y.var(axis=0, ddof=1)
    table = sites[["site_id", "region"]].copy()
    tests = []
    for name in models:
        with np.errstate(invalid="ignore", divide="ignore"):
            table[f"{name}_r2"] = 1 - rss[name] / (len(y) - rank[name]) / spread
    for larger, smaller in (("axis", "category"), ("category", "axis")):
        added = rank["both"] - rank[smaller]
        key = f"{larger}_beyond_{smaller}"
        with np.errstate(invalid="ignore", divide="ignore"):
            f = (rss[smaller] - rss["both"]) / max(added, 1) / (rss["both"] / free)
        p = np.where(spread > 0, stats.f.sf(f, added, free), np.nan) if added else spread * np.nan
        table[f"{key}_p"] = p
        table[f"{key}_p_corrected"] = adjust(p, plan.correction)
        tests.append(
            column_of_p(
                key,
                f"nested F test of least-squares models, F({added}, {free})",
                n=len(y),
                n_unit="images",
                n_tests=int(np.isfinite(p).sum()),
                correction=plan.correction,
                note=f"column {key}_p of categories.csv",
            )
        )
    table["pattern"] = _pattern(table, plan.alpha)
    return Categories(table, HypothesisTable.concat(tests))


def _pattern(table: pd.DataFrame, alpha: float) -> np.ndarray:
    """Which model adds to the other."""
    axis, category = (
        (table[f"{k}_p_corrected"] <= alpha).to_numpy()
        for k in ("axis_beyond_category", "category_beyond_axis")
    )
    if "category_beyond_more_p_corrected" in table:
        more = table["category_beyond_more_p_corrected"].to_numpy(float)
        category = category & (more <= alpha)
    choices = [axis & category, axis, category]
    return np.select(choices, ["both", "axis", "category"], "neither")
