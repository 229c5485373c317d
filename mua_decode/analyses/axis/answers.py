"""What sites answered to images chosen and made for them: predicted against answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from mua_decode.analyses.axis.controls import (
    MARGIN,
    answers_to_foreign,
    foreign_control,
    orthogonal_control,
    per_sd,
)
from mua_decode.analyses.axis.plan import EffectivePlan, SignificancePlan
from mua_decode.analyses.axis.shown import Shown
from mua_decode.analyses.axis.statistics import column_of_p
from mua_decode.analyses.axis.units import Units, unit_correlation, unit_share
from mua_decode.simulation import answer_images, can_answer
from mua_decode.statistics import adjust, out_of_reach, pooled_interval
from mua_decode.types import HypothesisTable, InputError, Recording, SiteTable

# Images by name -> one row per presentation: site_id, image, answered_hz.
Answer = Callable[[Mapping[str, np.ndarray]], pd.DataFrame]
_COLUMNS = ("site_id", "image", "answered_hz")
_MADE = ("synthesised", "orthogonal")
_EQUIVALENT = "orthogonal_equivalent"


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """Answers of the sites, and whether the images made for them drove them beyond the library."""

    presentations: pd.DataFrame  # site_id, image, answered_hz; those of the site's own images
    images: pd.DataFrame  # ``Shown.table`` with the mean ``answered_hz`` and ``presentations``
    sites: pd.DataFrame  # one row per site, see ``_verdicts``
    tests: HypothesisTable
    numbers: Mapping[str, float]  # shares and medians with their intervals

    @classmethod
    def of(cls, shown: Shown, answer: Answer, sites: SiteTable, plan: SignificancePlan) -> Answers:
        """Have the images answered and judge.

        Raises InputError if an image that was to be shown has no answer.
        """
        given = answer(shown.images)
        own = shown.table[["site_id", "image"]].drop_duplicates()
        kept = own.merge(given[list(_COLUMNS)], on=["site_id", "image"], how="left")
        absent = kept[kept["answered_hz"].isna()]
        if len(absent):
            first = absent.iloc[0]
            raise InputError(
                f"answers: image '{first['image']}' has no answer of site '{first['site_id']}', "
                f"and {len(absent)} of {len(own)} pairs lack one"
            )
        grouped = kept.groupby(["site_id", "image"], sort=False)["answered_hz"]
        means = grouped.agg(answered_hz="mean", presentations="size").reset_index()
        images = shown.table.merge(means, on=["site_id", "image"], validate="m:1")
        foreign = answers_to_foreign(given, shown.table)
        verdicts = _verdicts(images, {k: v.to_numpy() for k, v in grouped}, foreign, plan)
        row = {site: i for i, site in enumerate(sites.site_id)}
        units = Units.of_sites(sites).label[[row[s] for s in verdicts["site_id"]]]
        return cls(
            presentations=kept,
            images=images,
            sites=verdicts,
            tests=_tests(verdicts, images, plan),
            numbers=_numbers(verdicts, units),
        )


def who_answers(recording: Recording, plan: EffectivePlan, *, seed: int) -> Answer | None:
    """The simulated sites, the user's table, or nobody, as ``plan.answers`` asks.

    Raises InputError if the simulated sites are asked of a recording that is not simulated.
    """
    folder = plan.folder
    if folder is not None:
        return lambda _images: read_answers(folder / "answers.csv")
    if plan.answers == "none" or (plan.answers == "auto" and not can_answer(recording)):
        return None
    sites = recording.sites.site_id

    def show(images: Mapping[str, np.ndarray]) -> pd.DataFrame:
        stack, n = np.stack(list(images.values())), plan.presentations
        rates = answer_images(recording, stack, presentations=n, seed=seed)
        return pd.DataFrame(
            {
                "site_id": np.tile(sites.astype(object), len(stack) * n),
                "image": np.repeat(np.array(list(images), dtype=object), n * len(sites)),
                "answered_hz": rates.ravel(),
            }
        )

    return show


def read_answers(path: Path) -> pd.DataFrame:
    """Table of a user's own answers: ``site_id``, ``image`` (its name), ``answered_hz``.

    One row per presentation, responses in spikes per second as the axes were fitted to. Raises
    InputError if it is missing, or a column is or holds no numbers.
    """
    try:
        table = pd.read_csv(path, dtype={"site_id": str, "image": str})
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: is missing or damaged; write one row per presentation with the columns "
            f"{', '.join(_COLUMNS)}"
        ) from error
    missing = [c for c in _COLUMNS if c not in table]
    if missing:
        raise InputError(f"{path}: has no column '{missing[0]}'")
    if table["answered_hz"].dtype.kind not in "uif" or np.isinf(table["answered_hz"]).any():
        raise InputError(f"{path}: answered_hz must be numbers, spikes per second")
    table["image"] = table["image"].str.removesuffix(".png")
    return table.dropna(subset=["answered_hz"])


def _verdicts(
    images: pd.DataFrame,
    trials: Mapping[object, np.ndarray],
    foreign: Mapping[object, np.ndarray],
    plan: SignificancePlan,
) -> pd.DataFrame:
    """Per site: answers, the best of the library, and whether the images made went beyond it.

    The best library image is the one with the strongest answer among those shown: chosen by the
    answers it is compared with, so a little too strong, against the claim.
    """
    rows = []
    for site, group in images.groupby("site_id", sort=False):
        library = group[group["kind"].str.startswith("library")]
        best = library.iloc[int(library["answered_hz"].to_numpy(float).argmax())]
        row: dict[str, object] = {
            "site_id": site,
            "answered_library_best": best["answered_hz"],
            "library_best_image": best["image"],
            "predicted_answered_correlation": _correlation(group),
        }
        reference = trials[site, best["image"]]
        for kind in _MADE:
            made = group[group["kind"] == kind]
            if not len(made):
                continue
            answered = trials[site, made["image"].iloc[0]]
            row[f"answered_{kind}"] = answered.mean()
            row[f"{kind}_beyond"] = bool(answered.mean() > reference.mean())
            several = min(len(answered), len(reference)) > 1
            row[f"{kind}_beyond_p"] = (
                float(stats.mannwhitneyu(answered, reference, alternative="greater").pvalue)
                if several
                else np.nan
            )
        row |= orthogonal_control(group, trials) | per_sd(group)
        if site in foreign and "answered_synthesised" in row:
            own, most = (float(row[k]) for k in ("answered_synthesised", "answered_library_best"))  # type: ignore[arg-type]
            row |= foreign_control(own, most, foreign[site])
        rows.append(row)
    table = pd.DataFrame(rows)
    for kind in _MADE:
        if f"{kind}_beyond_p" in table:
            corrected = adjust(table[f"{kind}_beyond_p"].to_numpy(float), plan.correction)
            table[f"{kind}_beyond_p_corrected"] = corrected
            table[f"{kind}_beyond_surely"] = corrected <= plan.alpha
    if f"{_EQUIVALENT}_p" in table:
        corrected = adjust(table[f"{_EQUIVALENT}_p"].to_numpy(float), plan.correction)
        table[f"{_EQUIVALENT}_p_corrected"], table[_EQUIVALENT] = corrected, corrected <= plan.alpha
    return table


def _correlation(group: pd.DataFrame) -> float:
    """Over library images spread evenly over the ranks: picked extremes would inflate it."""
    once = group[group["kind"] == "library even"].drop_duplicates("image")
    a, b = once["predicted_hz"].to_numpy(float), once["answered_hz"].to_numpy(float)
    varies = len(once) > 2 and np.ptp(a) > 0 and np.ptp(b) > 0
    return float(np.corrcoef(a, b)[0, 1]) if varies else float("nan")


def _numbers(verdicts: pd.DataFrame, units: np.ndarray) -> dict[str, float]:
    found: dict[str, float] = {"n_sites": len(verdicts), "n_units": len(np.unique(units))}
    for kind in _MADE:
        if f"{kind}_beyond" not in verdicts:
            continue
        for name in ("beyond", "beyond_surely"):
            value, low, high = unit_share(verdicts[f"{kind}_{name}"].to_numpy(bool), units)
            key = f"share_{kind}_{name}"
            found |= {key: value, f"{key}_low": low, f"{key}_high": high}
        over = verdicts[f"answered_{kind}"] / verdicts["answered_library_best"]
        found[f"median_{kind}_over_library_best"] = float(over.median())
        if f"{kind}_hz_per_sd" in verdicts:
            found[f"median_{kind}_hz_per_sd"] = float(verdicts[f"{kind}_hz_per_sd"].median())
    if _EQUIVALENT in verdicts:
        value, low, high = unit_share(verdicts[_EQUIVALENT].to_numpy(bool), units)
        key = f"share_{_EQUIVALENT}"
        found |= {key: value, f"{key}_low": low, f"{key}_high": high}
    for name in ("foreign_beyond", "rank_among_foreign"):
        if name in verdicts:
            value, low, high = pooled_interval(verdicts[name].to_numpy(float), units)
            key = f"share_{name}" if name == "foreign_beyond" else f"mean_{name}"
            found |= {key: value, f"{key}_low": max(low, 0.0), f"{key}_high": min(high, 1.0)}
    r, low, high = unit_correlation(verdicts["predicted_answered_correlation"].to_numpy(), units)
    key = "median_predicted_answered_correlation"
    return found | {key: r, f"{key}_low": low, f"{key}_high": high}


def _tests(verdicts: pd.DataFrame, images: pd.DataFrame, plan: SignificancePlan) -> HypothesisTable:
    n = int(images["presentations"].min())
    few = out_of_reach(1 / math.comb(2 * n, n), n, "presentations of each image")
    return HypothesisTable.concat(
        [
            column_of_p(
                f"{kind}_beyond",
                "Mann-Whitney U test of the answers to the image made against those to the library "
                "image with the strongest answer, one-sided",
                n=n,
                n_unit="presentations of each image",
                n_tests=len(verdicts),
                correction=plan.correction,
                note="; ".join(filter(None, [f"column {kind}_beyond_p of effective.csv", few])),
            )
            for kind in _MADE
            if f"{kind}_beyond" in verdicts
        ]
        + [
            column_of_p(
                _EQUIVALENT,
                "two one-sided t tests (Welch): answers to the orthogonal image within "
                f"{MARGIN:g} s.d. of the mean answer to library images",
                n=n,
                n_unit="presentations of each image",
                n_tests=len(verdicts),
                correction=plan.correction,
                note=f"column {_EQUIVALENT}_p of effective.csv",
            )
            for _ in range(_EQUIVALENT in verdicts)
        ]
    )
