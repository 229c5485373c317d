"""Numbers of an axis run: what was found, summarised by region and as flat metrics."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from mua_decode import __version__
from mua_decode.analyses.axis import (
    AxisModel,
    AxisSettings,
    Blocks,
    Reconstruction,
    Responses,
    TestNote,
    pixel_correlation,
    region_masks,
)
from mua_decode.analyses.axis.drive import EffectiveResults
from mua_decode.analyses.axis.pixels import PixelResults
from mua_decode.analyses.axis.states import StateResults
from mua_decode.statistics import median_interval, share
from mua_decode.types import Recording


@dataclass(eq=False)
class AxisResults:
    """Everything one run found; filled step by step by the command."""

    recording: Recording
    responses: Responses
    settings: AxisSettings
    blocks: Blocks
    models: dict[str, AxisModel]
    comparison: pd.DataFrame = field(default_factory=pd.DataFrame)
    reconstruction: Reconstruction | None = None
    pixels: PixelResults | None = None
    effective: EffectiveResults | None = None
    states: StateResults | None = None
    tests: list[TestNote] = field(default_factory=list)

    @property
    def first(self) -> AxisModel:
        """The model of the first feature space."""
        return next(iter(self.models.values()))

    @property
    def test_table(self) -> pd.DataFrame:
        """What every p-value is."""
        notes = [*self.first.tests, *self.tests, *(self.states.tests if self.states else ())]
        return pd.DataFrame([dataclasses.asdict(n) for n in notes])

    @property
    def sites(self) -> pd.DataFrame:
        """One row per feature space and site; imagery columns on the first space."""
        frames = [m.sites for m in self.models.values()]
        if self.states is not None:
            extra = self.states.imagery.sites.drop(columns=["region", "tuned"])
            frames[0] = frames[0].merge(extra, on="site_id", validate="1:1")
        return pd.concat(frames, ignore_index=True)


def tuning_rows(results: AxisResults) -> pd.DataFrame:
    """Summary per feature space and region, with 95 % intervals."""
    rows = []
    for name, model in results.models.items():
        sites = model.sites
        responsive = sites["responsive"].to_numpy(bool)
        for region, inside in region_masks(results.responses.sites).items():
            asked = inside & responsive
            tuned, low, high = share(sites["tuned"].to_numpy(bool)[asked])
            rng = np.random.default_rng(0)  # of the bootstrap: the same for every region
            r, r_low, r_high = median_interval(
                sites["heldout_correlation"].to_numpy()[inside], rng=rng
            )
            explained = sites["r2_of_explainable"][asked]
            rows.append(
                {
                    "space": name,
                    "region": region,
                    "n_sites_all": int(inside.sum()),
                    "n_sites": int(asked.sum()),
                    "share_responsive": responsive[inside].mean(),
                    "share_tuned": tuned,
                    "share_low": low,
                    "share_high": high,
                    "median_heldout_correlation": r,
                    "correlation_low": r_low,
                    "correlation_high": r_high,
                    "median_r2_of_explainable": explained.median(),
                    "share_ramp": sites["ramp"][asked].mean(),
                    "share_flat": sites["flat"][asked].mean(),
                    "share_orthogonal_slope": sites["orthogonal_slope_differs_from_0"][
                        asked
                    ].mean(),
                }
            )
    return pd.DataFrame(rows)


def _tuning_metrics(results: AxisResults, rows: pd.DataFrame) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    first = results.first.name
    for row in rows.to_dict("records"):
        region = "" if row["region"] == "all" else f"{row['region']}/"
        prefix = "axis/" if row["space"] == first else f"axis/space/{row['space']}/"
        flat |= {f"{prefix}{region}{k}": v for k, v in row.items() if k not in ("space", "region")}
    for other, group in results.comparison.groupby("other") if len(results.comparison) else ():
        name = f"axis/compare/{first}_with_{other}/"
        flat |= {
            f"{name}median_correlation_difference": group["difference"].median(),
            f"{name}share_{first}_better": (group["better"] == first).mean(),
            f"{name}share_{other}_better": (group["better"] == other).mean(),
            f"{name}p_over_sites_corrected": group["p_over_sites_corrected"].iloc[0],
        }
    return flat


def _reading_metrics(results: AxisResults) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    if results.reconstruction is not None:
        found = results.reconstruction
        flat |= {
            "reconstruction/mean_rank": found.rank.mean(),
            "reconstruction/chance_rank": 0.5,
            "reconstruction/p": found.p,
            "reconstruction/median_feature_correlation": np.nanmedian(found.feature_correlation),
        }
        for row in found.table.to_dict("records"):
            source = str(row["source"]).replace(" ", "_")
            flat[f"reconstruction/identification/{source}/{row['distractors']}_distractors"] = row[
                "accuracy"
            ]
    if results.pixels is not None:
        true = results.pixels.images[results.blocks.test]
        for name, decoded in results.pixels.decoded.items():
            key = f"reconstruction/pixel_correlation/{name.replace(' ', '_')}"
            flat[key] = float(np.nanmean(pixel_correlation(decoded, true)))
        mean = results.pixels.images[results.blocks.train].mean(axis=0, keepdims=True)
        mean = np.repeat(mean, len(true), axis=0)
        flat["reconstruction/pixel_correlation/mean_image"] = float(
            np.nanmean(pixel_correlation(mean, true))
        )
    return flat


def _imagery_metrics(results: AxisResults) -> dict[str, Any]:
    if results.states is None:
        return {}
    imagery, states = results.states.imagery, results.states
    sites, flat = imagery.sites, dict[str, Any]()
    for region, inside in region_masks(results.responses.sites).items():
        prefix = "imagery/" if region == "all" else f"imagery/{region}/"
        tuned = inside & sites["tuned"].to_numpy(bool)
        value, low, high = share(sites["reactivated"].to_numpy(bool)[tuned])
        again = sites[inside & sites["reactivated"].to_numpy(bool)]
        uncorrected = sites["reactivated_p"][tuned] <= results.settings.alpha
        flat |= {
            f"{prefix}n_tuned": int(tuned.sum()),
            f"{prefix}share_reactivated": value,
            f"{prefix}share_reactivated_low": low,
            f"{prefix}share_reactivated_high": high,
            f"{prefix}share_reactivated_uncorrected": uncorrected.mean(),
            f"{prefix}share_following_axis": again["follows_axis"].mean(),
            f"{prefix}median_response_scale": again["imagery_scale"].median(),
            f"{prefix}median_axis_slope": again["imagery_axis_slope"].median(),
        }
    flat |= {
        "imagery/nominal_false_positive_rate": results.settings.alpha,
        "imagery/median_axis_correlation": imagery.median_correlation,
        "imagery/median_axis_correlation_p": imagery.median_p,
        "imagery/n_objects": len(imagery.objects),
    }
    for row in states.cross.to_dict("records"):
        key = f"imagery/decode/{row['direction']}/{row['decoder']}".replace(", ", "_")
        flat |= {f"{key}/{k}".replace(" ", "_"): row[k] for k in ("accuracy", "chance", "p")}
    for row in states.reality.to_dict("records"):
        flat[f"imagery/reality/{int(row['n_sites'])}_sites/accuracy"] = row["accuracy"]
        flat[f"imagery/reality/{int(row['n_sites'])}_sites/p_corrected"] = row["p_corrected"]
    return flat


def flat_results(cfg: DictConfig, results: AxisResults) -> dict[str, Any]:
    """All numbers by key; ``None`` where something is unknown."""
    first, per = results.first, results.responses.mean.shape[1]
    known = results.responses.has_repeats and per == 1
    flat: dict[str, Any] = {
        "version": __version__,
        "seed": int(cfg.seed),
        "recording": results.recording.name,
        "axis/feature_space": first.name,
        "axis/n_components": int(cfg.n_components),
        "axis/n_train_images": len(results.blocks.train) // per,
        "axis/n_test_images": len(results.blocks.test) // per,
        "axis/alpha": results.settings.alpha,
        "axis/correction": results.settings.correction,
        "axis/responsiveness_test": results.responses.responsive_test,
        "axis/noise_ceiling": "from single trials"
        if known
        else "unknown: only averaged responses, or one per bin, are given",
        **_tuning_metrics(results, tuning_rows(results)),
        **_reading_metrics(results),
        **_imagery_metrics(results),
    }
    return {k: _plain(v) for k, v in flat.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    number = float(value)
    return float(f"{number:.9g}") if math.isfinite(number) else None
