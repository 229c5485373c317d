"""Videos never shown: identified by likelihood, and made, through a model of each site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from mua_decode.analyses.likelihood.encoder import fit_encoder, site_correlation
from mua_decode.analyses.likelihood.folds import (
    Fold,
    Groups,
    deal,
    group_conditions,
    keep_presentations_whole,
    make_folds,
)
from mua_decode.analyses.likelihood.gaussian import fit_noise
from mua_decode.analyses.likelihood.identify import beaten, guesses
from mua_decode.analyses.likelihood.made import Made
from mua_decode.analyses.likelihood.plan import LikelihoodPlan
from mua_decode.analyses.likelihood.readback import Material, read_back
from mua_decode.analyses.likelihood.responses import Responses, collect
from mua_decode.data.independence import condition_groups
from mua_decode.features import FeatureSpace
from mua_decode.runs.progress import working
from mua_decode.types import Recording


@dataclass(frozen=True, eq=False, kw_only=True)
class LikelihoodResults:
    """Everything one run found."""

    plan: LikelihoodPlan
    recording: Recording
    responses: Responses
    groups: Groups
    folds: list[Fold]
    # Method, condition, group, presentations (conditions of one number share some), partition,
    # fold, trial, guess (the condition named, empty where
    # the best are tied), beaten and size; a row a held-out trial.
    trials: pd.DataFrame
    sites: pd.DataFrame  # site_id, region and r, the held-out correlation, mean over folds
    made: Mapping[str, np.ndarray] = field(default_factory=dict)  # by method, (V, T, C, H, W)
    videos: pd.DataFrame = field(default_factory=pd.DataFrame)  # their scores


@dataclass(frozen=True, eq=False)
class _Source:
    """What all folds read."""

    recording: Recording
    responses: Responses
    material: Material
    space: FeatureSpace
    groups: Groups
    linked: np.ndarray  # int (K,): conditions that share recorded presentations are alike


def likelihood(
    recording: Recording, plan: LikelihoodPlan, space: FeatureSpace
) -> LikelihoodResults:
    """Fit every site's model on the conditions left in, and ask for those left out.

    Everything that is fitted sees the training conditions alone: components of the features,
    penalties, what the model misses, the noise of single trials, the prior. Raises InputError if
    conditions are too few, or frames and bins do not match.
    """
    with working("counting spikes"):
        responses = collect(recording, plan)
    conditions = recording.stimuli.conditions.iloc[responses.condition].reset_index(drop=True)
    linked = condition_groups(recording)[responses.condition]
    groups = keep_presentations_whole(group_conditions(conditions, plan.leave_out.by), linked)
    folds = make_folds(groups, plan.leave_out, seed=plan.seed)
    with working("features of every frame"):
        material = _material(recording, responses, space, plan.pixel_size)
    source = _Source(recording, responses, material, space, groups, linked)
    rows, sites, made = [], [], Made(space, recording.stimuli, plan, [], {})
    for i, fold in enumerate(folds):
        with working(f"fold {i + 1} of {len(folds)}"):
            found, r = _fold(source, fold, plan, made)
        rows.append(found)
        sites.append(r)
    table = responses.sites
    r = np.nanmean(np.where(np.isnan(sites), 0, sites), axis=0)
    return LikelihoodResults(
        plan=plan,
        recording=recording,
        responses=responses,
        groups=groups,
        folds=folds,
        trials=pd.concat(rows, ignore_index=True),
        sites=pd.DataFrame({"site_id": table.site_id, "region": table.region, "r": r}),
        made={name: np.stack(v) for name, v in made.frames.items()},
        videos=pd.DataFrame(made.rows),
    )


def _material(
    recording: Recording, responses: Responses, space: FeatureSpace, size: int
) -> Material:
    stimuli = recording.stimuli
    frames, at = np.unique(responses.frame, return_inverse=True)
    features = space.of_stimuli(stimuli, frames)[responses.condition][:, at]
    videos = torch.from_numpy(stimuli.mean_videos()[responses.condition][:, responses.frame])
    k, t = videos.shape[:2]
    if min(videos.shape[-2:]) > size:
        videos = F.adaptive_avg_pool2d(videos.flatten(0, 1), size).unflatten(0, (k, t))
    return Material(features, videos.reshape(k, t, -1).double().numpy())


def _fold(
    source: _Source, fold: Fold, plan: LikelihoodPlan, made: Made
) -> tuple[pd.DataFrame, np.ndarray]:
    """Held-out trials of one fold, and every site's held-out correlation."""
    responses, material, train, test = source.responses, source.material, fold.train, fold.test
    inner = deal(source.groups.label[train], plan.inner_folds)
    encoder, residual = fit_encoder(material.features[train], responses.mean[train], inner)
    noise = fit_noise(residual, *responses.noise(train))
    predicted = encoder.predict(material.features[test])
    m, r = len(test), responses.trials.shape[1]
    flat = responses.trials[test].reshape(m * r, *predicted.shape[1:])
    likeness = {"likelihood": noise.log_likelihood(flat, predicted).reshape(m, r, m)}
    others, frames = read_back(material, responses, train, test, inner)
    made.add(fold, source.groups.label, responses, (encoder, noise), frames)
    rows = []
    for method, like in (likeness | others).items():
        share = beaten(like)
        names = np.array(
            [*(source.recording.stimuli.names[k] for k in responses.condition[test]), ""]
        )
        rows.append(
            pd.DataFrame(
                {
                    "method": method,
                    "condition": np.repeat(names[:-1], r),
                    "group": np.repeat(source.groups.label[test], r),
                    "presentations": np.repeat(source.linked[test], r),
                    "partition": fold.partition,
                    "fold": fold.number,
                    "trial": np.tile(np.arange(r), m),
                    "guess": names[guesses(like)].ravel(),
                    "beaten": share.ravel(),
                    "size": m,
                }
            )
        )
    return pd.concat(rows, ignore_index=True), site_correlation(predicted, responses, test)
