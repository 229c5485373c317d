"""Options of the axis analyses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mua_decode.statistics import adjust
from mua_decode.types import InputError, StimulusSet

Span = tuple[int | float, ...]  # start and stop in seconds


@dataclass(frozen=True, kw_only=True)
class ResponsePlan:
    """Which part of a trial is the response to its image."""

    # Response and, where trials begin before the image, baseline window; open where ``None``.
    window_s: Span | None
    baseline_s: Span | None
    # Segment of the stimuli that fills open windows: the baseline, and what follows it.
    baseline_segment: str | None
    per: str  # ``"window"``: one response per image; ``"bin"``: one per bin
    bin_s: float | None  # bin width, only for recordings of spike times

    def __post_init__(self) -> None:
        for name in ("window_s", "baseline_s"):
            span = getattr(self, name)
            if span is not None and (len(span) != 2 or not 0 <= span[0] < span[1]):
                raise InputError(
                    f"response.{name} must be [start, stop] in seconds, found {list(span)}"
                )
        if self.per not in ("window", "bin"):
            raise InputError(f"response.per must be one of window, bin; found '{self.per}'")

    def within(self, stimuli: StimulusSet) -> ResponsePlan:
        """Fill open windows from the baseline segment, where the stimuli have it."""
        for segment in stimuli.segments:
            if segment.name == self.baseline_segment:
                start_s, end_s = segment.start * stimuli.frame_s, segment.stop * stimuli.frame_s
                return replace(
                    self,
                    window_s=self.window_s or (end_s, stimuli.n_frames * stimuli.frame_s),
                    baseline_s=self.baseline_s or (start_s, end_s),
                )
        return self


@dataclass(frozen=True, kw_only=True)
class SignificancePlan:
    """How sites are tested."""

    n_permutations: int  # at least 19
    alpha: float  # level of all tests after correction
    correction: str  # fdr_bh, holm or none, over sites
    flat_fraction: float  # of the preferred slope, below which an orthogonal slope is flat

    def __post_init__(self) -> None:
        if self.n_permutations < 19 or not 0 < self.alpha < 1 or self.flat_fraction <= 0:
            raise InputError(
                "axis: need n_permutations >= 19, 0 < alpha < 1 and flat_fraction > 0, found "
                f"{self.n_permutations}, {self.alpha:g} and {self.flat_fraction:g}"
            )
        adjust(np.array([1.0]), self.correction)


@dataclass(frozen=True, kw_only=True)
class ReconstructionPlan:
    """How images are read back."""

    image_size: int  # pixels a side that decoders make
    pixel_components: int  # that the linear decoder predicts; fewer if there are fewer
    video_decoder_epochs: int  # above 0 the video decoder is trained too


@dataclass(frozen=True, kw_only=True)
class EffectivePlan:
    """For which sites stimuli are made, and how."""

    sites: int  # the most reliably tuned ones; 0: none
    steps: int  # of gradient ascent
    smoothness: float  # weight of roughness relative to the library's
    # Who answers the images: auto: the simulated sites of a simulated recording, else nobody;
    # simulation: required; none; or the folder ``effective`` of an earlier run with answers.csv.
    answers: str
    presentations: int  # of every image to simulated sites

    def __post_init__(self) -> None:
        if self.presentations < 1:
            raise InputError(
                f"effective.presentations must be at least 1, found {self.presentations}"
            )

    @property
    def folder(self) -> Path | None:
        """Where shown images and their answers lie, if a user gives them."""
        asked = self.answers in ("auto", "simulation", "none")
        return None if asked else Path(self.answers).expanduser()


@dataclass(frozen=True, kw_only=True)
class RealityPlan:
    """From which sites, and how many, perceived and imagined are told apart."""

    # auto: those of the ventral regions, all where none has a known name; all; or region names
    regions: str | tuple[str, ...]
    sizes: tuple[int, ...]  # those above the population are replaced by the whole population
    draws: int  # random subsets per number
    n_permutations: int


@dataclass(frozen=True, kw_only=True)
class AxisPlan:
    """Everything a run is asked."""

    seed: int  # of split, permutations and the video decoder
    # Principal components of the features, fitted on the training images; of several numbers one
    # is chosen on their inner folds.
    n_components: int | tuple[int, ...]
    test_fraction: float  # images held out
    inner_folds: int  # of the training images, to choose the penalty
    category: str | None  # column of the stimuli's conditions that names an image's category
    imagery: str  # true: required; false: never; auto: where trials carry states
    response: ResponsePlan
    test: SignificancePlan
    reconstruction: ReconstructionPlan
    effective: EffectivePlan
    reality: RealityPlan
    published: Mapping[str, Any] | None = None  # values printed in the paper, shown beside ours

    def __post_init__(self) -> None:
        numbers = self.n_components
        if not isinstance(numbers, int) and min(numbers, default=0) < 1:
            raise InputError(f"n_components must be at least 1, found {list(numbers)}")
        if isinstance(self.reality.regions, str) and self.reality.regions not in ("auto", "all"):
            raise InputError(
                "reality.regions must be auto, all or a list such as [IT], found "
                f"{self.reality.regions}"
            )
        if self.imagery.lower() not in ("auto", "true", "false"):
            raise InputError(f"imagery must be auto, true or false, found {self.imagery}")
        if self.imagery.lower() == "true" and self.response.per != "window":
            raise InputError("imagery=true needs response.per=window")
