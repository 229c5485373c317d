"""Take regions away from a trained decoder and see what the video loses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from mua_decode.analyses.ablate.cache import MaskCache
from mua_decode.analyses.ablate.findings import print_ablation, write_ablation
from mua_decode.analyses.ablate.losses import (
    change_table,
    loss_table,
    loss_tests,
    mask_results,
    mean_losses,
    mean_over_rings,
    shapley_table,
    without_undefined,
)
from mua_decode.analyses.ablate.masks import (
    equal_masks,
    group_masks,
    no_mask,
    region_masks,
    segment_masks,
    site_masks,
    subset_masks,
)
from mua_decode.analyses.ablate.scorer import FILLS, MaskScorer, MaskScores
from mua_decode.files import sha256
from mua_decode.metrics import VideoMetric
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.open import Trained, open_trained
from mua_decode.runs.progress import console, track
from mua_decode.scoring.evaluate import not_applicable
from mua_decode.types import HypothesisTable, InputError, ResultTable, SiteMask


@dataclass(frozen=True, eq=False)
class Ablation:
    """Everything an ablation found.

    Parameters
    ----------
    table
        Scores of every mask.
    losses
        Loss of every mask in every condition, families region, group, segment, equal and site
        told apart by the column ``family``.
    means
        Mean losses with intervals and ranks.
    tests
        Of regions and groups.
    changes
        Distance of masked from unmasked reconstructions, the published measure.
    shapley
        Empty without subsets.
    subsets
        One row per fill and subset of regions, in the order of ``subset_masks``: fill, mask,
        regions (joined by +) and file, an .npz whose ``predicted`` is the mean decoded video of
        every condition, uint8 (K, C, T, H, W).
    regions, conditions
        Names.
    not_applicable
        Metric to the reason why this recording has none.
    """

    table: ResultTable
    losses: pd.DataFrame
    means: pd.DataFrame
    tests: HypothesisTable
    changes: pd.DataFrame
    shapley: pd.DataFrame
    subsets: pd.DataFrame
    regions: list[str]
    conditions: list[str]
    not_applicable: dict[str, str] = field(default_factory=dict)


def run(cfg: DictConfig) -> dict[str, Any]:
    """Mask regions, groups, subsets, segments and equal numbers of sites of a finished run.

    All masks are scored on the same test trials. Writes results.csv, losses.csv, means.csv,
    tests.csv, shapley.csv, metrics.json and figures/ to RUN_DIR/ablation. Every mask is kept as
    it is done: after Ctrl-C the same command goes on.
    """
    trained = open_trained(cfg)
    out = RunFolder.create(cfg.out_dir or str(trained.folder.path / "ablation"), "ablation")
    found = ablate(cfg, trained, out)
    flat = write_ablation(out, found, leaking=trained.data.leaking)
    print_ablation(found, out.path)
    return flat


def ablate(cfg: DictConfig, trained: Trained, out: RunFolder) -> Ablation:
    """Score all masks the config asks for; see conf/ablate.yaml."""
    fills = [str(f) for f in cfg.fills]
    if int(cfg.donors) < 1:
        raise InputError(f"donors: expected >= 1, found {cfg.donors}")
    unknown = [f for f in fills if f not in FILLS]
    if unknown or not fills:
        raise InputError(f"fills: choose from {', '.join(FILLS)}, found {unknown or fills}")
    every = [instantiate(m) for m in (cfg.get("metric") or {}).values()]
    reasons = {m.name: not_applicable(m, trained.data.stimuli) for m in every}
    metrics = [m for m in every if reasons[m.name] is None]
    if not metrics:
        raise InputError("metric: none of the metrics applies to this recording")
    families = _families(cfg, trained)
    tables, losses, shapley, changes = [], [], [], []
    subsets: list[dict[str, str]] = []
    for fill in fills:
        scored, scorer, cache = _score(cfg, trained, out, metrics, fill, families)
        names = _names(trained, str(cfg.part))
        split = f"{cfg.part} (leaking)" if trained.data.leaking else str(cfg.part)
        unmasked = scored["unmasked"][0]
        shared: dict[str, Any] = {"metrics": metrics, "names": names, "fill": fill}
        guess = {str(k): float(v) for k, v in (cfg.get("guess") or {}).items()}
        for family, masked in scored.items():
            tables.append(mask_results(masked, split=split, **shared))
            if family in ("unmasked", "subset"):
                continue
            loss = loss_table(masked, unmasked, guess=guess, **shared)
            rings = [loss]
            if fill == "shuffle" and family in ("region", "group"):
                for ring in range(1, int(cfg.donors)):
                    again, _, _ = _score(
                        cfg, trained, out, metrics, fill, {family: families[family]}, ring=ring
                    )
                    rings.append(loss_table(again[family], unmasked, guess=guess, **shared))
            losses.append(without_undefined(mean_over_rings(rings)).assign(family=family))
        moved = {
            mask.name.removeprefix("without "): cache.video(mask)
            for family in ("region", "group")
            for mask in families.get(family, [])
        }
        whole = cache.video(families["unmasked"][0])
        changes.append(change_table(moved, whole, score=scorer.compare, **shared))
        if "subset" in scored:
            subsets += [
                {
                    "fill": fill,
                    "mask": mask.name,
                    "regions": mask.name.removeprefix("only ").replace("nothing", ""),
                    "file": str(cache.path(mask).relative_to(out.path)),
                }
                for mask in families["subset"]
            ]
            shapley.append(
                shapley_table(
                    scored["subset"],
                    regions=trained.data.pool.sites.regions,
                    metrics=metrics,
                    fill=fill,
                    guess=guess,
                    rng=np.random.default_rng([int(cfg.seed), 31]),
                )
            )
    loss = pd.concat(losses, ignore_index=True)
    rng = np.random.default_rng([int(cfg.seed), 37])
    means = pd.concat(
        [
            mean_losses(part, rng=rng).assign(family=family)
            for family, part in loss.groupby("family", sort=False)
        ],
        ignore_index=True,
    )
    tested = loss[loss["family"].isin(["region", "group"])]
    tests = [
        loss_tests(part, rng=rng, correction=str(cfg.correction))
        for _, part in tested.groupby("family", sort=False)
    ]
    return Ablation(
        table=ResultTable.concat(tables),
        losses=loss,
        means=means,
        tests=HypothesisTable.concat(tests),
        changes=pd.concat(changes, ignore_index=True),
        shapley=pd.concat(shapley, ignore_index=True) if shapley else pd.DataFrame(),
        subsets=pd.DataFrame(subsets),
        regions=trained.data.pool.sites.regions,
        conditions=_names(trained, str(cfg.part)),
        not_applicable={k: v for k, v in reasons.items() if v is not None},
    )


def _families(cfg: DictConfig, trained: Trained) -> dict[str, list[SiteMask]]:
    """Masks by the question they answer."""
    sites, segments = trained.data.pool.sites, trained.data.stimuli.segments
    rng = np.random.default_rng([int(cfg.seed), 29])
    several = len(sites.regions) > 1
    if not several:
        console.print("note: one region only, there is nothing to compare it with", style="dim")
    families = {"unmasked": [no_mask(sites)], "region": region_masks(sites)}
    if cfg.groups:
        families["group"] = group_masks(sites, [[str(r) for r in g] for g in cfg.groups])
    if cfg.subsets and several:
        families["subset"] = subset_masks(sites)
    if cfg.segments and len(segments) > 1:
        families["segment"] = segment_masks(sites, segments)
    if int(cfg.equal.repeats) > 0 and several:
        families["equal"] = equal_masks(
            sites, n_sites=cfg.equal.n_sites, repeats=int(cfg.equal.repeats), rng=rng
        )
    if cfg.sites:
        families["site"] = site_masks(sites)
    return families


def _score(
    cfg: DictConfig,
    trained: Trained,
    out: RunFolder,
    metrics: list[VideoMetric],
    fill: str,
    families: dict[str, list[SiteMask]],
    *,
    ring: int = 0,
) -> tuple[dict[str, list[MaskScores]], MaskScorer, MaskCache]:
    """Scores of every mask of every family under one fill, and where their videos lie."""
    task = trained.task
    checkpoint = sha256([trained.checkpoint])
    metric_text = OmegaConf.to_container(cfg.metric, resolve=True)
    caches: dict[bool, tuple[MaskScorer, MaskCache]] = {}
    for many in (False, True):
        dear = [str(m) for m in cfg.average_only] if many else []
        scorer = MaskScorer(
            task,
            trained.data,
            part=str(cfg.part),
            metrics=metrics,
            fill=fill,
            trials_per_condition=cfg.trials_per_condition,
            average_only=dear,
            seed=int(cfg.seed) + 7919 * ring,
            batch_size=trained.data.batch_size,
            device=task.device,
        )
        identity = {
            "checkpoint": checkpoint,
            "part": cfg.part,
            "fill": fill,
            "seed": cfg.seed,
            "trials": cfg.trials_per_condition,
            "metrics": metric_text,
            "average_only": dear,
        }
        if fill == "shuffle":
            identity["donors"] = "whole conditions in a ring, a place on for each region"
            if ring:
                identity["ring"] = ring
        caches[many] = scorer, MaskCache(out.path / "masks" / fill, identity)
    jobs = [
        (family, mask, *caches[family in ("segment", "equal", "site")])
        for family, masks in families.items()
        for mask in masks
    ]
    scored: dict[str, list[MaskScores]] = {family: [] for family in families}
    for family, mask, scorer, cache in track(jobs, f"masking, fill {fill}", len(jobs)):
        video = family in ("unmasked", "region", "group", "subset")
        scored[family].append(cache.score(scorer, mask, video=video))
    return scored, *caches[False]


def _names(trained: Trained, part: str) -> list[str]:
    names = trained.data.stimuli.names
    return [names[k] for k in np.unique(trained.data.dataset(part).pseudo.condition)]
