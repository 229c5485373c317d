"""Axis tuning, reconstruction and imagery on one recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.answers import who_answers
from mua_decode.analyses.axis.category import Categories, categories_of, compare_categories
from mua_decode.analyses.axis.comparison import compare_spaces
from mua_decode.analyses.axis.components import choose_components
from mua_decode.analyses.axis.effective import Effective, Library, measure_effective
from mua_decode.analyses.axis.imagery import States, measure_states
from mua_decode.analyses.axis.pixels import BuildDecoder, Pixels, read_back_images
from mua_decode.analyses.axis.plan import AxisPlan
from mua_decode.analyses.axis.reconstruction import Reconstruction, reconstruct
from mua_decode.analyses.axis.responses import Responses, collect_responses, shown_frames
from mua_decode.analyses.axis.ridge import Blocks, make_blocks
from mua_decode.analyses.axis.tuning import AxisModel, fit_axes, summarise
from mua_decode.features import Components, FeatureSpace, fit_components
from mua_decode.runs.progress import console, working
from mua_decode.types import HypothesisTable, InputError, Recording


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
    compared: HypothesisTable  # the tests behind the comparison
    categories: Categories | None = None  # where the stimuli have categories
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
    def tests(self) -> HypothesisTable:
        """What every p-value is."""
        tables = [self.first.tests, self.compared]
        tables += [self.categories.tests] if self.categories else []
        tables += [self.read.reconstruction.test] if self.read else []
        answers = self.read.effective.answers if self.read and self.read.effective else None
        tables += [answers.tests] if answers else []
        tables += [self.states.tests] if self.states else []
        return HypothesisTable.concat(tables)

    @property
    def sites(self) -> pd.DataFrame:
        """One row per feature space and site; imagery columns on the first space."""
        frames = [m.sites for m in self.models.values()]
        if self.states is not None:
            extra = self.states.imagery.sites.drop(columns="region")
            extra = extra.rename(columns={"tuned": "tuned_without_imagined"})
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
    models: dict[str, AxisModel] = {}
    components, first_rows = {}, np.empty(0)
    for name, space in spaces.items():
        with working(f"features {name}"):
            features = space.of_stimuli(recording.stimuli, frames)[responses.condition]
        if plan.response.per == "window":
            features = features.mean(axis=1, keepdims=True)
        rows = features.reshape(-1, features.shape[-1])
        first_rows = first_rows if models else rows
        components[name] = choose_components(
            rows, responses.rows, blocks, numbers=plan.n_components
        )
        x = components[name](rows)
        with working(f"axes in {name}, {plan.test.n_permutations} permutations"):
            models[name] = fit_axes(name, x, responses, blocks, plan=plan.test, rng=test_rng)
    comparison, compared = compare_spaces(
        models, responses.rows[blocks.test], plan=plan.test, per_image=responses.per_image
    )
    results = AxisResults(
        plan=plan,
        recording=recording,
        responses=responses,
        blocks=blocks,
        models=models,
        regions=summarise(models, responses.sites),
        comparison=comparison,
        compared=compared,
    )
    if responses.per_image > 1:
        return results
    name = results.first.name
    first = _FirstSpace(spaces[name], components[name], first_rows)
    read = _read_back(results, frames, first, build=build, imagery=imagery, rng=rng)
    return replace(results, read=read, categories=_categories(results, first))


class _FirstSpace(NamedTuple):
    space: FeatureSpace
    components: Components
    features: np.ndarray  # (K, D)


def _categories(results: AxisResults, first: _FirstSpace) -> Categories | None:
    """Axis against category, where the stimuli have categories and images are enough."""
    plan, responses, model = results.plan, results.responses, results.first
    stimuli = results.recording.stimuli
    category = categories_of(stimuli, responses.condition, plan.category)
    if category is None:
        return None
    # Twice the components, as far as 10 residual degrees of freedom and the images allow.
    spare = len(category) - len(np.unique(category)) - 10
    more = max(1, min(2 * model.x.shape[1], spare, first.features.shape[1]))
    train = first.features[results.blocks.train]
    richer = fit_components(train, more, at_most=True)(first.features)
    found = compare_categories(
        model.x, responses.rows, category, model.sites, plan=plan.test, richer=richer
    )
    if found is None:
        console.print(
            f"note: {len(category)} images are too few to compare {model.x.shape[1]} components "
            f"with {len(np.unique(category))} categories; lower n_components",
            highlight=False, soft_wrap=True, style="dim",
        )  # fmt: skip
    return found


def _read_back(
    results: AxisResults,
    frames: np.ndarray,
    first: _FirstSpace,
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
    library = Library(
        images=pixels.full,
        names=np.array(recording.stimuli.names)[responses.condition],
        recorded=responses.rows,
        blocks=blocks,
    )
    effective = measure_effective(
        first.space,
        first.components,
        model,
        library,
        plan=plan.effective,
        test=plan.test,
        answer=who_answers(recording, plan.effective, seed=plan.seed),
        rng=rng,
    )
    if imagery:
        with working("imagery"):
            states = measure_states(
                recording, responses, first.features, pixels, plan=plan, build=build, rng=rng
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
