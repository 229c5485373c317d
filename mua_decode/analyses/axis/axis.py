"""Axis tuning, reconstruction and imagery on one recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.comparison import compare_spaces
from mua_decode.analyses.axis.effective import Effective, measure_effective
from mua_decode.analyses.axis.imagery import States, measure_states
from mua_decode.analyses.axis.pixels import BuildDecoder, Pixels, read_back_images
from mua_decode.analyses.axis.plan import AxisPlan
from mua_decode.analyses.axis.reconstruction import Reconstruction, reconstruct
from mua_decode.analyses.axis.responses import Responses, collect_responses, shown_frames
from mua_decode.analyses.axis.ridge import Blocks, make_blocks
from mua_decode.analyses.axis.statistics import TestNote
from mua_decode.analyses.axis.tuning import AxisModel, fit_axes, summarise
from mua_decode.features import Components, FeatureSpace, fit_components
from mua_decode.runs.progress import console, working
from mua_decode.types import InputError, Recording


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadBack:
    """What one response per image allows: images read back, images made, imagery."""

    reconstruction: Reconstruction
    pixels: Pixels
    effective: Effective | None
    states: States | None


@dataclass(frozen=True, eq=False, kw_only=True)
class AxisResults:
    """Everything one run found."""

    plan: AxisPlan  # with the windows of the responses filled
    recording: Recording
    responses: Responses
    blocks: Blocks
    models: Mapping[str, AxisModel]  # by feature space; axes are measured in the first
    regions: pd.DataFrame  # tuning per feature space and region
    comparison: pd.DataFrame  # later feature spaces with the first; empty where there is none
    notes: tuple[TestNote, ...]  # what stands behind the comparison
    read: ReadBack | None = None  # not with a response per bin

    @property
    def first(self) -> AxisModel:
        """The model of the first feature space."""
        return next(iter(self.models.values()))

    @property
    def states(self) -> States | None:
        """What was found about imagery, if anything was asked."""
        return self.read.states if self.read else None

    @property
    def tests(self) -> pd.DataFrame:
        """What every column of p-values is."""
        notes = [*self.first.tests, *self.notes]
        notes += [self.read.reconstruction.test] if self.read else []
        return pd.DataFrame([*notes, *(self.states.tests if self.states else ())])

    @property
    def sites(self) -> pd.DataFrame:
        """One row per feature space and site; imagery columns on the first space."""
        frames = [m.sites for m in self.models.values()]
        if self.states is not None:
            extra = self.states.imagery.sites.drop(columns=["region", "tuned"])
            frames[0] = frames[0].merge(extra, on="site_id", validate="1:1")
        return pd.concat(frames, ignore_index=True)


def axis(
    recording: Recording, plan: AxisPlan, spaces: Mapping[str, FeatureSpace], *, build: BuildDecoder
) -> AxisResults:
    """Fit and test axes in every feature space, and read images back in the first.

    Raises InputError if imagery is required and cannot be had, or responses or images are too few.
    """
    imagery = wants_imagery(plan, recording)
    plan = replace(plan, response=plan.response.within(recording.stimuli))
    with working("averaging responses"):
        responses = collect_responses(recording, plan.response)
    for note in responses.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, style="dim")
    split_rng, test_rng, rng = map(
        np.random.default_rng, np.random.SeedSequence(plan.seed).spawn(3)
    )
    blocks = make_blocks(
        len(responses.condition),
        test_fraction=plan.test_fraction,
        inner_folds=plan.inner_folds,
        rng=split_rng,
        per_condition=responses.per_image,
    )
    frames = shown_frames(recording, responses, plan.response)
    models, components = {}, {}
    for name, space in spaces.items():
        with working(f"features {name}"):
            features = space.of_stimuli(recording.stimuli, frames)[responses.condition]
        if plan.response.per == "window":
            features = features.mean(axis=1, keepdims=True)
        rows = features.reshape(-1, features.shape[-1])
        components[name] = fit_components(rows[blocks.train], plan.n_components)
        x = components[name](rows)
        with working(f"axes in {name}, {plan.test.n_permutations} permutations"):
            models[name] = fit_axes(name, x, responses, blocks, plan=plan.test, rng=test_rng)
    comparison, notes = compare_spaces(models, responses.rows[blocks.test], plan=plan.test)
    results = AxisResults(
        plan=plan,
        recording=recording,
        responses=responses,
        blocks=blocks,
        models=models,
        regions=summarise(models, responses.sites),
        comparison=comparison,
        notes=notes,
    )
    if responses.per_image > 1:
        return results
    name = results.first.name
    read = _read_back(
        results, frames, (spaces[name], components[name]), build=build, imagery=imagery, rng=rng
    )
    return replace(results, read=read)


def _read_back(
    results: AxisResults,
    frames: np.ndarray,
    space: tuple[FeatureSpace, Components],
    *,
    build: BuildDecoder,
    imagery: bool,
    rng: np.random.Generator,
) -> ReadBack:
    """Everything that asks for one response per image, in the first feature space."""
    recording, responses, blocks = results.recording, results.responses, results.blocks
    plan, model, states = results.plan, results.first, None
    with working("reading images back"):
        found = reconstruct(
            responses.rows, model.x, blocks, n_permutations=plan.test.n_permutations, rng=rng
        )
        pixels = read_back_images(recording, responses, blocks, frames, plan=plan, build=build)
    effective = measure_effective(*space, model, pixels.full, blocks, plan=plan.effective, rng=rng)
    if imagery:
        with working("imagery"):
            states = measure_states(
                recording, responses, model, pixels, plan=plan, build=build, rng=rng
            )
    return ReadBack(reconstruction=found, pixels=pixels, effective=effective, states=states)


def wants_imagery(plan: AxisPlan, recording: Recording) -> bool:
    """Whether to analyse imagery: required, or possible and not refused.

    Raises InputError if it is required and a session has no imagery trials.
    """
    for session in recording.sessions:
        states = session.trials.get("state")
        if states is None or not (states.astype(str) == "imagery").any():
            if plan.imagery.lower() != "true":
                return False
            raise InputError(
                f"imagery=true: session '{session.name}' has no imagery trials (column 'state' "
                "of the trials table with the values perception and imagery)"
            )
    return plan.imagery.lower() != "false"
