"""The videos of the task: a fixation point, a cue outline, then coloured moving dots.

The trial and the look of its frames follow Siegel, Buschman & Miller 2015
(doi 10.1126/science.aab0551) as rendered by Zhang et al. 2026 (doi 10.1038/s42003-025-09486-7).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mua_decode.limits import check_memory
from mua_decode.simulation.checks import require_range, require_whole, whole_steps
from mua_decode.simulation.dots import DotParameters, dot_paths, rasterise
from mua_decode.simulation.outlines import Canvas, CueParameters
from mua_decode.simulation.palette import Palette
from mua_decode.types import InputError, Segment, StimulusSet

_PARTS = ("fixation", "cue", "stimulus")


@dataclass(frozen=True, kw_only=True)
class TrialTiming:
    """How long each part of a trial lasts, in seconds, and how much it weighs in the loss.

    ``frame_s`` is the time from one frame to the next; every part is a whole number of frames.
    """

    fixation_s: float = 0.5
    cue_s: float = 1.0
    stimulus_s: float = 3.0
    frame_s: float = 0.1
    fixation_weight: float = 1.0
    cue_weight: float = 2.0
    stimulus_weight: float = 5.0

    def __post_init__(self) -> None:
        require_range("timing", vars(self), "frame_s", low=0, above=True)
        for name in _PARTS:
            require_range("timing", vars(self), f"{name}_s", low=0, above=True)
            require_range("timing", vars(self), f"{name}_weight", low=0)
        _ = self.segments

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The three parts in frames."""
        out: list[Segment] = []
        for name in _PARTS:
            start, duration_s = out[-1].stop if out else 0, getattr(self, f"{name}_s")
            frames = whole_steps("timing", duration_s=duration_s, step_s=self.frame_s, name=name)
            weight = float(getattr(self, f"{name}_weight"))
            out.append(Segment(name=name, start=start, stop=start + frames, weight=weight))
        return tuple(out)


@dataclass(frozen=True, kw_only=True)
class FrameParameters:
    """The frame and the marks that stand in it throughout.

    All lengths of the stimulus are pixels of the rendered frame; ``resolution`` scales the whole.
    """

    # Side of the rendered frame and of its central crop, which is what is kept; both even or both
    # odd, so that the crop is central.
    rendered_px: int = 64
    crop_px: int = 32
    # Output pixels per rendered pixel: 2 shows the same scene on twice as many pixels.
    resolution: float = 1.0
    supersampling: int = 4  # sub-pixels along a side of an output pixel, for anti-aliasing
    background: int = 20  # grey level, 0..255
    # Fixation point at the centre.
    fixation_radius_px: float = 1.2
    fixation_grey: int = 230
    # The two saccade targets, left and right of the centre.
    target_eccentricity_px: float = 14.5
    target_radius_px: float = 1.0
    target_grey: int = 70

    def __post_init__(self) -> None:
        require_whole("frame", vars(self), "rendered_px", "crop_px", "supersampling", low=1)
        if self.crop_px > self.rendered_px or (self.rendered_px - self.crop_px) % 2:
            raise InputError(
                f"frame: crop_px {self.crop_px} is not a central crop of rendered_px "
                f"{self.rendered_px}"
            )
        require_range("frame", vars(self), "resolution", low=0, above=True)
        lengths = ("fixation_radius_px", "target_eccentricity_px", "target_radius_px")
        require_range("frame", vars(self), *lengths, low=0)
        greys = ("background", "fixation_grey", "target_grey")
        require_range("frame", vars(self), *greys, low=0, high=255)

    @property
    def canvas(self) -> Canvas:
        """The pixel grid of the cropped frame."""
        size = max(round(self.crop_px * self.resolution), 1)
        return Canvas(size=size, resolution=self.resolution, supersampling=self.supersampling)


@dataclass(frozen=True, kw_only=True)
class StimulusParameters:
    """Everything that makes the videos."""

    timing: TrialTiming = field(default_factory=TrialTiming)
    frame: FrameParameters = field(default_factory=FrameParameters)
    cues: CueParameters = field(default_factory=CueParameters)
    palette: Palette = field(default_factory=Palette)
    dots: DotParameters = field(default_factory=DotParameters)
    # Directions of motion, degrees counter-clockwise from rightward (90 is up).
    directions_deg: Sequence[float] = (90.0, 30.0, -30.0, -90.0)
    variants: int = 60  # videos per condition that differ in their random dots, >= 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions_deg", tuple(float(d) for d in self.directions_deg))
        require_whole("stimulus", vars(self), "variants", low=1)
        for angle in self.directions_deg:
            require_range("stimulus", {"directions_deg": angle}, low=-360, high=360)
        distinct = {angle % 360 for angle in self.directions_deg}
        if not distinct or len(distinct) != len(self.directions_deg):
            raise InputError(
                f"stimulus: name every direction once, found {list(self.directions_deg)}"
            )

    @property
    def conditions(self) -> pd.DataFrame:
        """One row per condition, cue slowest, direction fastest.

        Columns ``name``, ``cue``, ``colour``, ``hue_deg`` (CIE L*a*b*), ``red``, ``green``,
        ``blue`` (0..255) and ``direction_deg``.
        """
        palette = zip(self.palette.names, self.palette.hues_deg, self.palette.rgb, strict=True)
        colours = [(name, hue, *rgb.tolist()) for name, hue, rgb in palette]
        every = itertools.product(self.cues.outlines, colours, self.directions_deg)
        rows = [(f"{cue} {c[0]} {angle:g}", cue, *c, angle) for cue, c, angle in every]
        colour = ["colour", "hue_deg", "red", "green", "blue"]
        return pd.DataFrame(rows, columns=["name", "cue", *colour, "direction_deg"])


@dataclass(frozen=True)
class _Marks:
    """Pixels that carry the fixation point and the targets, and how to draw them on a frame."""

    index: np.ndarray  # (M,) flat pixel numbers
    keep: np.ndarray  # (M,) share of what lies below
    add: np.ndarray  # (M,) grey level added

    @classmethod
    def of(cls, frame: FrameParameters) -> _Marks:
        canvas = frame.canvas
        x = frame.target_eccentricity_px
        keep, add = np.ones(canvas.size**2), np.zeros(canvas.size**2)
        for grey, x_px, radius_px in (
            (frame.fixation_grey, 0, frame.fixation_radius_px),
            (frame.target_grey, -x, frame.target_radius_px),
            (frame.target_grey, x, frame.target_radius_px),
        ):
            alpha = canvas.disc(x_px=x_px, y_px=0, radius_px=radius_px).ravel()
            keep, add = keep * (1 - alpha), add * (1 - alpha) + grey * alpha
        index = np.flatnonzero(keep < 1)
        return cls(index=index, keep=keep[index], add=add[index])

    def draw(self, frames: np.ndarray) -> None:
        """Draw on uint8 frames (..., H, W), in place."""
        flat = frames.reshape(*frames.shape[:-2], -1)
        flat[..., self.index] = np.rint(flat[..., self.index] * self.keep + self.add)


def _draw_dots(
    videos: np.ndarray,
    paths: tuple[np.ndarray, np.ndarray],
    rgb: list[int],
    parameters: StimulusParameters,
) -> None:
    """Draw dots at x and y (variants, frames, n_dots) on uint8 (variants, frames, 3, H, W)."""
    frame = parameters.frame
    levels = np.linspace(0, 1, 256)[:, None]
    above = np.array(rgb) - frame.background
    lookup = np.rint(frame.background + levels * above).astype(np.uint8)
    for video, path_x, path_y in zip(videos, *paths, strict=True):
        covered = rasterise(
            path_x * frame.resolution,
            path_y * frame.resolution,
            size=frame.canvas.size,
            diameter=parameters.dots.diameter_px * frame.resolution,
            supersampling=frame.supersampling,
        )
        for channel in range(3):
            video[:, channel] = lookup[covered, channel]


def render_stimuli(parameters: StimulusParameters, *, seed: np.random.SeedSequence) -> StimulusSet:
    """Render the videos of all conditions.

    Videos of a condition differ only in the stimulus segment; fixation and cue frames are equal.
    Every condition has a random stream of its own, spawned from ``seed``. The videos are uint8
    (conditions x variants, T, 3, crop, crop), the variants of a condition next to each other.
    """
    frame, cues = parameters.frame, parameters.cues
    canvas = frame.canvas
    segments = parameters.timing.segments
    _, cue, stimulus = segments
    conditions = parameters.conditions
    shape = (len(conditions), parameters.variants, stimulus.stop, 3, canvas.size, canvas.size)
    drawn = 16 * (canvas.size * frame.supersampling) ** 2  # one frame, before it is made small
    places = 16 * parameters.variants * stimulus.stop * parameters.dots.n_dots
    check_memory(math.prod(shape) + drawn + places, "simulation: videos")
    marks = _Marks.of(frame)
    videos = np.full(shape, frame.background, np.uint8)
    marks.draw(videos[:, :, : cue.start])
    children = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key).spawn(shape[0])
    for k, row in enumerate(conditions.to_dict("records")):
        line = canvas.outline(row["cue"], span_px=cues.span_px, line_px=cues.line_px)
        still = frame.background + line * (cues.grey - frame.background)
        videos[k, :, cue.start : cue.stop] = np.rint(still)
        marks.draw(videos[k, :, cue.start : cue.stop])
        paths = dot_paths(
            parameters.dots,
            direction_deg=row["direction_deg"],
            frames=stimulus.stop - stimulus.start,
            frame_s=parameters.timing.frame_s,
            variants=parameters.variants,
            rng=np.random.default_rng(children[k]),
        )
        rgb = [row["red"], row["green"], row["blue"]]
        _draw_dots(videos[k, :, stimulus.start :], paths, rgb, parameters)
        marks.draw(videos[k, :, stimulus.start :])
    return StimulusSet(
        videos=videos.reshape(-1, *shape[2:]),
        condition=np.repeat(np.arange(shape[0]), shape[1]),
        conditions=conditions,
        segments=segments,
        frame_s=parameters.timing.frame_s,
    )
