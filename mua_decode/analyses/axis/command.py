"""Axis tuning, reconstruction and imagery on one recording."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from omegaconf import DictConfig

from mua_decode.analyses.axis import (
    AxisModel,
    AxisSettings,
    Blocks,
    Responses,
    collect_responses,
    compare_spaces,
    fit_axes,
    make_blocks,
    reconstruct,
)
from mua_decode.analyses.axis.drive import measure_effective
from mua_decode.analyses.axis.findings import print_axis_summary, write_results
from mua_decode.analyses.axis.pixels import read_back_images
from mua_decode.analyses.axis.states import measure_states
from mua_decode.analyses.axis.summary import AxisResults
from mua_decode.data import frame_of_bin
from mua_decode.features import Components, FeatureSpace, fit_components
from mua_decode.runs.build import build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.progress import console, working
from mua_decode.types import InputError, Recording


def run(cfg: DictConfig) -> dict[str, Any]:
    """Ask whether sites encode images along an axis of a feature space, and read images back.

    Axes are fitted on training images and tested on held-out ones; where trials carry states,
    imagery is compared with perception. The run's folder holds config.yaml, metrics.json,
    results.csv, sites.csv (one row per site), tests.csv (what every p-value is), figures/ and
    report.html.
    """
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    recording = build_recording(cfg)
    settings = instantiate_settings(cfg)
    spaces = {n: instantiate(c, trusted=cfg.trusted) for n, c in cfg.features.items()}
    window_s, baseline_s = response_windows(cfg, recording)
    require_imagery(cfg, recording)
    with working("averaging responses"):
        responses = collect_responses(
            recording,
            window_s=window_s,
            baseline_s=baseline_s,
            per=str(cfg.response.per),
            bin_s=cfg.response.bin_s,
            state="perception" if has_states(recording) else None,
        )
    for note in responses.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, style="dim")
    split_seed, test_seed, more_seed = np.random.SeedSequence(int(cfg.seed)).spawn(3)
    blocks = make_blocks(
        len(responses.condition),
        test_fraction=float(cfg.test_fraction),
        inner_folds=int(cfg.inner_folds),
        rng=np.random.default_rng(split_seed),
        per_condition=responses.mean.shape[1],
    )
    models, components = fit_spaces(
        cfg, recording, responses, blocks, spaces, settings, np.random.default_rng(test_seed)
    )
    folder.save_config(cfg)
    results = AxisResults(recording, responses, settings, blocks, models)
    first, rng = next(iter(models.values())), np.random.default_rng(more_seed)
    results.comparison, notes = compare_spaces(
        models, responses.rows[blocks.test], settings=settings
    )
    results.tests += list(notes)
    if responses.mean.shape[1] == 1:
        frames = shown_frames(recording, responses, cfg)
        with working("reading images back"):
            results.reconstruction = reconstruct(
                responses.rows, first.x, blocks, n_permutations=settings.n_permutations, rng=rng
            )
            results.tests.append(results.reconstruction.test)
            results.pixels = read_back_images(cfg, recording, responses, blocks, frames)
        space = spaces[first.name]
        results.effective = measure_effective(
            cfg, space, components[first.name], first, results.pixels.full, blocks, rng
        )
        if wants_imagery(cfg, recording):
            with working("imagery"):
                results.states = measure_states(
                    cfg,
                    recording,
                    responses,
                    first,
                    results.pixels,
                    settings,
                    (window_s, baseline_s),
                    rng,
                )
    flat = write_results(cfg, folder, results)
    print_axis_summary(flat, folder.path)
    return flat


def instantiate_settings(cfg: DictConfig) -> AxisSettings:
    """Read the choices of the tests."""
    return AxisSettings(
        n_permutations=int(cfg.test.n_permutations),
        alpha=float(cfg.test.alpha),
        correction=str(cfg.test.correction),
        flat_fraction=float(cfg.test.flat_fraction),
    )


def has_states(recording: Recording) -> bool:
    """Whether any trial carries a state."""
    return any("state" in s.trials.columns for s in recording.sessions)


def require_imagery(cfg: DictConfig, recording: Recording) -> None:
    """Fail early where imagery is asked for and cannot be had."""
    if str(cfg.imagery).lower() not in ("auto", "true", "false"):
        raise InputError(f"imagery must be auto, true or false, found {cfg.imagery}")
    if str(cfg.imagery).lower() != "true":
        return
    for session in recording.sessions:
        states = session.trials.get("state")
        if states is None or not (states.astype(str) == "imagery").any():
            raise InputError(
                f"imagery=true: session '{session.name}' has no imagery trials (column 'state' "
                "of the trials table with the values perception and imagery)"
            )
    if str(cfg.response.per) != "window":
        raise InputError("imagery=true needs response.per=window")


def wants_imagery(cfg: DictConfig, recording: Recording) -> bool:
    """Whether to analyse imagery: required, or possible and not refused."""
    if str(cfg.imagery).lower() != "auto":
        return str(cfg.imagery).lower() == "true"
    states = [s.trials.get("state") for s in recording.sessions]
    return all(t is not None and (t.astype(str) == "imagery").any() for t in states)


def response_windows(
    cfg: DictConfig, recording: Recording
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Response and baseline windows in seconds, from the config or the baseline segment."""
    given = []
    for key in ("window_s", "baseline_s"):
        value = cfg.response[key]
        if value is not None and (len(value) != 2 or not 0 <= float(value[0]) < float(value[1])):
            raise InputError(f"response.{key} must be [start, stop] in seconds, found {value}")
        given.append(None if value is None else (float(value[0]), float(value[1])))
    window_s, baseline_s = given
    stimuli = recording.stimuli
    for segment in stimuli.segments:
        if segment.name == cfg.response.baseline_segment:
            stop_s = stimuli.n_frames * stimuli.frame_s
            edges_s = segment.start * stimuli.frame_s, segment.stop * stimuli.frame_s
            baseline_s = baseline_s or edges_s
            window_s = window_s or (edges_s[1], stop_s)
    return window_s, baseline_s


def shown_frames(recording: Recording, responses: Responses, cfg: DictConfig) -> np.ndarray:
    """Frames on screen in the response window, or in each of its bins, int."""
    stimuli, (start_s, stop_s) = recording.stimuli, responses.window_s
    if cfg.response.per == "bin":
        session = recording.sessions[0]
        bin_s = float(session.bin_s or cfg.response.bin_s)
        window_s = float(session.window_s or bin_s)
        last = math.floor((stop_s - window_s) / bin_s + 1e-6) + 1
        frames = frame_of_bin(stimuli, n_bins=last, bin_s=bin_s, window_s=window_s)
        return frames[-responses.mean.shape[1] :]
    centre_s = (np.arange(stimuli.n_frames) + 0.5) * stimuli.frame_s
    inside = np.flatnonzero((centre_s >= start_s) & (centre_s <= stop_s))
    if not len(inside):
        nearest = int(np.abs(centre_s - (start_s + stop_s) / 2).argmin())
        return np.array([nearest])
    return inside


def fit_spaces(
    cfg: DictConfig,
    recording: Recording,
    responses: Responses,
    blocks: Blocks,
    spaces: dict[str, FeatureSpace],
    settings: AxisSettings,
    rng: np.random.Generator,
) -> tuple[dict[str, AxisModel], dict[str, Components]]:
    """Features, components fitted on the training images, and axes, of every space."""
    frames = shown_frames(recording, responses, cfg)
    models, components = {}, {}
    for name, space in spaces.items():
        with working(f"features {name}"):
            features = space.of_stimuli(recording.stimuli, frames)[responses.condition]
        if cfg.response.per == "window":
            features = features.mean(axis=1, keepdims=True)
        rows = features.reshape(-1, features.shape[-1])
        components[name] = fit_components(rows[blocks.train], int(cfg.n_components))
        with working(f"axes in {name}, {settings.n_permutations} permutations"):
            models[name] = fit_axes(
                name, components[name](rows), responses, blocks, settings=settings, rng=rng
            )
    return models, components
