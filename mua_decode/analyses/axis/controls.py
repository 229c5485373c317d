"""Controls of images made for a site: the orthogonal image, and images made for other sites."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

MARGIN = 0.75  # of the s.d. of a site's answers to the library, within which answers are equivalent


def equivalence_p(answered: np.ndarray, library: list[np.ndarray], margin: float) -> float:
    """p that the mean of the answers (R,) is not within ``margin`` of the library's mean.

    Two one-sided tests (Schuirmann 1987, doi 10.1007/BF01068419), the larger p: t, with the
    variances of the presentations of every image, degrees of freedom after Welch (1947, doi
    10.1093/biomet/34.1-2.28). NaN where an image was presented once.
    """
    if min(len(answered), *map(len, library)) < 2 or not margin > 0:
        return float("nan")
    away = float(answered.mean() - np.mean([v.mean() for v in library]))
    groups = [(answered, 1), *((v, len(library)) for v in library)]
    parts = np.array([v.var(ddof=1) / len(v) / share**2 for v, share in groups])
    below = float((parts**2 / [len(v) - 1 for v, _ in groups]).sum())
    df = float(parts.sum() ** 2 / below) if below else float("inf")
    error = max(float(np.sqrt(parts.sum())), 1e-12)
    return float(stats.t.sf((margin - abs(away)) / error, df))


def orthogonal_control(
    group: pd.DataFrame, trials: Mapping[object, np.ndarray]
) -> dict[str, float]:
    """The answer to the orthogonal image beside the library's mean, of one site.

    The library is taken at images evenly over the ranks of the prediction, ``library even`` of
    ``group``; ``trials`` are answers by site and image. ``orthogonal_from_library_sd`` is the
    difference of the means in standard deviations of the library's mean answers.
    """
    even = group[group["kind"] == "library even"]
    made = group[group["kind"] == "orthogonal"]
    if len(even) < 3 or not len(made):
        return {}
    site = made["site_id"].iloc[0]
    library = [trials[site, image] for image in even["image"]]
    answered = trials[site, made["image"].iloc[0]]
    means = np.array([v.mean() for v in library])
    sd = float(means.std(ddof=1))
    return {
        "orthogonal_from_library_sd": (answered.mean() - means.mean()) / sd if sd else float("nan"),
        "orthogonal_equivalent_p": equivalence_p(answered, library, MARGIN * sd),
    }


def per_sd(group: pd.DataFrame) -> dict[str, float]:
    """Answers to images made, less the library's mean, per s.d. that they reach along their axis.

    Bounds of natural images let the two climbs reach unequally far; this is at an equal distance.
    """
    even = group[group["kind"] == "library even"]
    out = dict[str, float]()
    for kind, column in (
        ("synthesised", "along_axis_sd"),
        ("orthogonal", "along_orthogonal_sd"),
    ):
        made = group[group["kind"] == kind]
        if len(made) and len(even) and column in made:
            away = float(made["answered_hz"].iloc[0] - even["answered_hz"].mean())
            reached = float(made[column].iloc[0])
            out[f"{kind}_hz_per_sd"] = away / reached if reached else float("nan")
    return out


def foreign_control(own: float, best: float, foreign: np.ndarray) -> dict[str, float]:
    """The answer to a site's own image among its answers to images made for other sites, (F,).

    They are as bright, as rough and of as much contrast: a site that answers to any of that answers
    to all of them. ``rank_among_foreign``: the share that its own exceeds, ties as a half; 0.5
    if it is like any other.
    """
    foreign = foreign[np.isfinite(foreign)]
    if not len(foreign):
        return {}
    return {
        "n_foreign": len(foreign),
        "foreign_beyond": float((foreign > best).mean()),
        "rank_among_foreign": float(((foreign < own) + 0.5 * (foreign == own)).mean()),
    }


def answers_to_foreign(given: pd.DataFrame, shown: pd.DataFrame) -> dict[object, np.ndarray]:
    """Mean answers of every site to images made for others, (F,), as far as they were shown."""
    made = shown[shown["kind"] == "synthesised"]
    owner = dict(zip(made["image"], made["site_id"], strict=True))
    some = given[given["image"].isin(list(owner)) & given["site_id"].isin(list(made["site_id"]))]
    some = some[some["image"].map(owner) != some["site_id"]]
    means = some.groupby(["site_id", "image"], sort=False)["answered_hz"].mean()
    return {site: part.to_numpy(float) for site, part in means.groupby(level=0, sort=False)}
