"""Numbers and tables of an axis run, and what of them goes to the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__
from mua_decode.analyses.axis.axis import AxisResults
from mua_decode.analyses.axis.effective import Effective
from mua_decode.analyses.axis.imagery import Imagery
from mua_decode.analyses.axis.paper import beside_published
from mua_decode.analyses.axis.pixels import pixel_correlation
from mua_decode.analyses.axis.responses import region_masks
from mua_decode.analyses.axis.units import Units, unit_share
from mua_decode.runs.findings import Findings
from mua_decode.statistics import with_reach
from mua_decode.types import HypothesisTable, ResultTable, only

_PRINTED = {
    "sites": "axis/n_sites_all",
    "training images": "axis/n_train_images",
    "held-out images": "axis/n_test_images",
    "median held-out correlation": "axis/median_heldout_correlation",
    "share axis-tuned": "axis/share_tuned",
    "  95 % interval from": "axis/share_low",
    "  to": "axis/share_high",
    "R² of explainable, pooled over sites": "axis/pooled_r2_of_explainable",
    "mean rank of the true image (chance 0.5)": "reconstruction/mean_rank",
    "sites shown images made for them, most reliably tuned": "effective/n_sites",
    "share surely beyond the library images shown": "effective/share_synthesised_beyond_surely",
    "  surely or not": "effective/share_synthesised_beyond",
    "  by images made for other sites": "effective/share_foreign_beyond",
    "share unmoved by the orthogonal image (equivalence)": "effective/share_orthogonal_equivalent",
    "share of tuned sites reactivated": "imagery/share_reactivated",
    "  estimated, significant or not: at least": "imagery/share_reactivated_estimated",
    "median r of imagery with the axis": "imagery/median_axis_correlation",
}


_SINGLE = ("reconstruction/", "effective/", "imagery/")
_CROSS = ("accuracy", "chance", "p", "p_corrected")


def findings(results: AxisResults, folder: Path) -> Findings:
    """Gather what goes into the files of ``folder`` but figures and report."""
    flat = _flat(results)
    published = beside_published(results, flat, results.plan.published)
    tests, noted = _reach(results)
    tables = {"sites": results.sites, "comparison": results.comparison}
    if results.categories is not None:
        tables["categories"] = results.categories.sites
    if results.read is not None:
        tables["identification"] = results.read.reconstruction.table
        if results.read.effective is not None:
            tables |= _effective_tables(results.read.effective)
    if len(published):
        tables["published"] = published
    if results.states is not None:
        tables["cross_decoding"], tables["reality"] = results.states.cross, results.states.reality
    return Findings(
        results=_result_table(flat, results),
        metrics=flat,
        tests=tests,
        tables=tables | {f"planted_{k}": v for k, v in results.recording.truth.items()},
        screen=[
            _screen(flat),
            *(f"note: {line}" for line in noted),
            f"look at  {folder / 'report.html'}",
        ],
    )


def _reach(results: AxisResults) -> tuple[HypothesisTable, list[str]]:
    """The tests, noted where permutations are too few for any conclusion, and the notes."""
    test, noted, table = results.plan.test, list[str](), results.tests
    numbers = {"test": test.n_permutations, "reality": results.plan.reality.n_permutations}
    for name, draws in numbers.items():
        if name == "reality" and draws == test.n_permutations:
            continue  # noted already
        option = f"{name}.n_permutations"
        table, said = with_reach(
            table, draws, drawn="permutations", option=option, alpha=test.alpha
        )
        noted += said
    return table, noted


def _flat(results: AxisResults) -> dict[str, Any]:
    """All numbers by key, nine significant digits; ``None`` where something is unknown."""
    plan, per = results.plan, results.responses.per_image
    flat: dict[str, Any] = {
        "version": __version__,
        "seed": plan.seed,
        "recording": results.recording.name,
        "axis/feature_space": results.first.name,
        "axis/n_components": results.first.x.shape[1],
        "axis/n_train_images": len(results.blocks.train) // per,
        "axis/n_test_images": len(results.blocks.test) // per,
        "axis/alpha": plan.test.alpha,
        "axis/correction": plan.test.correction,
        "axis/responsiveness_test": results.responses.responsive_test,
        "axis/noise_ceiling": "from single trials"
        if results.responses.knows_noise
        else "unknown: only averaged responses, or one per bin, are given",
        "axis/intervals": Units.of_sites(results.responses.sites).said,
        **_tuning_metrics(results),
        **_category_metrics(results),
        **_reading_metrics(results),
        **_effective_metrics(results),
        **_imagery_metrics(results),
    }
    return {k: _plain(v) for k, v in flat.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    number = float(value)
    return float(f"{number:.9g}") if math.isfinite(number) else None


def _tuning_metrics(results: AxisResults) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    first = results.first.name
    for row in results.regions.to_dict("records"):
        region = "" if row["region"] == "all" else f"{row['region']}/"
        prefix = "axis/" if row["space"] == first else f"axis/space/{row['space']}/"
        flat |= {
            f"{prefix}{region}{k}": v
            for k, v in row.items()
            if k not in ("space", "region", "unit")
        }
    for other, group in results.comparison.groupby("other") if len(results.comparison) else ():
        name = f"axis/compare/{first}_with_{other}/"
        over = next(
            c for c in map(str, group) if c.startswith("p_over_") and c.endswith("_corrected")
        )
        flat |= {
            f"{name}median_correlation_difference": group["difference"].median(),
            f"{name}median_correlation_difference_low": group["low"].iloc[0],
            f"{name}median_correlation_difference_high": group["high"].iloc[0],
            f"{name}share_{first}_better": (group["better"] == first).mean(),
            f"{name}share_{other}_better": (group["better"] == other).mean(),
            f"{name}{over}": group[over].iloc[0],
        }
    return flat


def _category_metrics(results: AxisResults) -> dict[str, Any]:
    """Shares of the responsive sites by the pattern of their responses."""
    if results.categories is None:
        return {}
    pattern = results.categories.sites["pattern"].to_numpy(str)
    responsive = results.first.sites["responsive"].to_numpy(bool)
    unit = Units.of_sites(results.responses.sites).label[responsive]
    flat: dict[str, Any] = {
        "axis/category_pattern/beyond": f"these {results.first.x.shape[1]} components, and more of "
        "them where images allow; not beyond any axis"
    }
    for name in ("axis", "category", "both", "neither"):
        value, low, high = unit_share(pattern[responsive] == name, unit)
        key = f"axis/category_pattern/{name}"
        flat |= {key: value, f"{key}_low": low, f"{key}_high": high}
    return flat


def _reading_metrics(results: AxisResults) -> dict[str, Any]:
    if results.read is None:
        return {}
    found, pixels = results.read.reconstruction, results.read.pixels
    flat: dict[str, Any] = {
        "reconstruction/mean_rank": found.rank.mean(),
        "reconstruction/chance_rank": 0.5,
        "reconstruction/p": found.p,
        "reconstruction/median_feature_correlation": np.nanmedian(found.feature_correlation),
    }
    for row in found.table.to_dict("records"):
        key = f"{row['source']}/{row['distractors']}_distractors".replace(" ", "_")
        flat[f"reconstruction/identification/{key}"] = row["accuracy"]
    true = pixels.images[results.blocks.test]
    mean = pixels.images[results.blocks.train].mean(axis=0, keepdims=True)
    decoded = {**pixels.decoded, "mean image": np.repeat(mean, len(true), axis=0)}
    for name, images in decoded.items():
        key = f"reconstruction/pixel_correlation/{name.replace(' ', '_')}"
        flat[key] = np.nanmean(pixel_correlation(images, true))
    return flat


def _effective_tables(effective: Effective) -> dict[str, pd.DataFrame]:
    tables = {"effective": effective.table, "predicted_curves": effective.curves}
    return tables | (
        {"effective_answers": effective.answers.images} if effective.answers is not None else {}
    )


def _effective_metrics(results: AxisResults) -> dict[str, Any]:
    """Whether images made for sites drove them beyond the library; empty without answers."""
    effective = results.read.effective if results.read is not None else None
    if effective is None or effective.answers is None:
        return {}
    return {f"effective/{k}": v for k, v in effective.answers.numbers.items()}


def _imagery_metrics(results: AxisResults) -> dict[str, Any]:
    if results.states is None:
        return {}
    imagery, states, alpha = results.states.imagery, results.states, results.plan.test.alpha
    flat = dict[str, Any]()
    for region, inside in region_masks(results.responses.sites).items():
        prefix = "imagery/" if region == "all" else f"imagery/{region}/"
        flat |= {f"{prefix}{k}": v for k, v in _region_imagery(imagery, inside, alpha).items()}
    flat |= {
        "imagery/nominal_false_positive_rate": alpha,
        "imagery/median_axis_correlation": imagery.median_correlation,
        "imagery/median_axis_correlation_p": imagery.median_p,
        "imagery/n_objects": len(imagery.held.objects),
        "imagery/intervals": imagery.units.said,
        "imagery/median_axis_correlation_interval": f"for other {imagery.units.name} and other "
        f"objects like these {len(imagery.held.objects)}",
    }
    shares = imagery.tests.frame
    shares = shares[shares["metric"].str.contains("share reactivated") & shares["p"].notna()]
    for row in shares[shares["group"] == "all"].to_dict("records"):
        against = "untuned" if "untuned" in row["metric"] else "permutations"
        flat[f"imagery/share_reactivated_p_against_{against}"] = row["p_corrected"]
    for row in states.cross.to_dict("records"):
        key = f"imagery/decode/{row['direction']}/{row['decoder']}".replace(", ", "_")
        flat |= {f"{key}/{k}".replace(" ", "_"): row[k] for k in _CROSS}
    for row in states.reality.to_dict("records"):
        key = f"imagery/reality/{int(row['n_sites'])}_sites"
        flat |= {f"{key}/{k}": row[k] for k in ("accuracy", "p_corrected")}
    return flat


def _region_imagery(imagery: Imagery, inside: np.ndarray, alpha: float) -> dict[str, Any]:
    """Numbers of one region's sites, bool (N,), with intervals over sessions or subjects."""
    sites, unit = imagery.sites, imagery.units.label
    columns = {k: sites[k].to_numpy(bool) & inside for k in ("tuned", "reactivated")}
    tuned, reactivated = columns["tuned"], columns["reactivated"]
    silent = inside & sites["imagery_only_p_corrected"].notna().to_numpy()
    below = (sites["reactivated_p"] <= alpha).to_numpy()
    again = sites[reactivated]
    halves = imagery.halves[inside[imagery.halves["site"].to_numpy(int)]]
    found = {
        "share_reactivated": unit_share(reactivated[tuned], unit[tuned]),
        "share_reactivated_estimated": imagery.estimated_share(tuned, "raised"),
        "share_suppressed": unit_share(sites["suppressed"].to_numpy(bool)[tuned], unit[tuned]),
        "share_suppressed_estimated": imagery.estimated_share(tuned, "lowered"),
        "median_axis_correlation": imagery.axis_correlation(reactivated),
    }
    flat: dict[str, Any] = {"n_tuned": int(tuned.sum())}
    for key, interval in found.items():
        flat |= {key: interval.estimate, f"{key}_low": interval.low, f"{key}_high": interval.high}
    return flat | {
        "share_reactivated_uncorrected": _mean(below[tuned]),
        "share_untuned_reactivated_uncorrected": _mean(below[inside & ~tuned]),
        "n_silent_in_perception": int(silent.sum()),
        "share_imagery_only": _mean(sites["imagery_only"].to_numpy(bool)[silent]),
        "share_following_axis": again["follows_axis"].mean(),
        "median_response_scale": halves["imagery_scale"].median(),
        "median_axis_slope": halves["imagery_axis_slope"].median(),
    }


def _mean(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _result_table(flat: Mapping[str, Any], results: AxisResults) -> ResultTable:
    """The house's tidy table: one row per region and number, a region as ``only REGION``."""
    units = {"median_heldout_correlation": "r", "correlation_low": "r", "correlation_high": "r"}
    units |= {f"pooled_r2_of_explainable{e}": "fraction of variance" for e in ("", "_low", "_high")}
    shared = {"split": "test", "condition": "all", "trial": "trial_average", "segment": "all"}
    rows: list[dict[str, object]] = []
    for row in results.regions.to_dict("records"):
        mask = "none" if row["region"] == "all" else only(row["region"])
        about = {**shared, "run": row["space"], "mask": mask, "n": row["n_sites"]}
        ends = {"n": row["n_units"], "n_unit": row["unit"]}
        rows += [
            {**about, "n_unit": "sites", "metric": k, "value": v}
            | {"unit": units.get(str(k), "fraction of sites")}
            | (ends if str(k).endswith(("_low", "_high")) else {})
            for k, v in row.items()
            if k not in ("space", "region", "n_sites", "n_sites_all", "n_units", "unit")
        ]
    images = {"n": len(results.blocks.test) // results.responses.per_image, "n_unit": "images"}
    counts: dict[str, dict[str, object]] = {
        "reconstruction": images,
        "effective": {"n": flat.get("effective/n_sites"), "n_unit": "sites"},
        "imagery": {"n": flat.get("imagery/n_objects"), "n_unit": "objects"},
    }
    about = {**shared, "run": results.first.name, "mask": "none", "unit": "see tests.csv"}
    rows += [
        {**about, **counts[key.split("/")[0]], "metric": key, "value": value}
        for key, value in flat.items()
        if key.startswith(("reconstruction/", "effective/", "imagery/"))
        and isinstance(value, float)
    ]
    return ResultTable.from_rows(rows)


def _screen(flat: Mapping[str, Any]) -> Table:
    """The short table at the end of a run."""
    table = Table(title=f"{flat['recording']}, {flat['axis/feature_space']}", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("value", justify="right")
    for label, key in _PRINTED.items():
        if key in flat:
            value = flat[key]
            known = f"{value:.3f}" if isinstance(value, float) else str(value)
            table.add_row(label, "unknown" if value is None else known)
    return table
