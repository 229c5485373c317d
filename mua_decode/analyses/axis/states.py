"""Imagery beside perception: reactivation, cross-decoding, reality monitoring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from mua_decode.analyses.axis import (
    AxisModel,
    AxisSettings,
    Blocks,
    Imagery,
    Responses,
    TestNote,
    by_vectors,
    fit_decoder,
    measure_cross_decoding,
    measure_imagery,
    measure_reality,
    state_trials,
)
from mua_decode.analyses.axis.pixels import PixelResults, pixel_decoders
from mua_decode.types import Recording

Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class StateResults:
    """What was found about imagery."""

    imagery: Imagery
    cross: pd.DataFrame
    reality: pd.DataFrame
    tests: tuple[TestNote, ...]


def measure_states(
    cfg: DictConfig,
    recording: Recording,
    responses: Responses,
    model: AxisModel,
    pixels: PixelResults,
    settings: AxisSettings,
    windows: tuple[Span | None, Span | None],
    rng: np.random.Generator,
) -> StateResults:
    """Run the imagery analyses on the axes measured in perception."""
    given = {"window_s": windows[0], "baseline_s": windows[1], "bin_s": cfg.response.bin_s}
    imagery = measure_imagery(
        recording, model, responses.condition, **given, settings=settings, rng=rng
    )
    trials = {s: state_trials(recording, s, **given) for s in ("imagery", "perception")}
    rows = np.searchsorted(responses.condition, imagery.objects)
    blocks = _without(len(responses.condition), rows, int(cfg.inner_folds), rng)
    decode = fit_decoder(responses.rows, model.x, blocks)
    decoders = {
        "features": by_vectors(decode, model.x[rows]),
        **{
            f"pixels, {name}": by_vectors(d, pixels.images[rows])
            for name, d in pixel_decoders(cfg, responses.rows, pixels.images, blocks).items()
        },
    }
    cross, cross_note = measure_cross_decoding(
        trials["imagery"],
        trials["perception"],
        trained_on_perception=decoders,
        n_permutations=settings.n_permutations,
        rng=rng,
    )
    reality, reality_note = measure_reality(
        trials["imagery"],
        trials["perception"],
        sizes=list(cfg.reality.sizes),
        draws=int(cfg.reality.draws),
        n_permutations=int(cfg.reality.n_permutations),
        rng=rng,
    )
    return StateResults(imagery, cross, reality, (*imagery.tests, cross_note, reality_note))


def _without(n: int, rows: np.ndarray, folds: int, rng: np.random.Generator) -> Blocks:
    """All images but the imagined ones as training, the imagined ones as test."""
    others = rng.permutation(np.setdiff1d(np.arange(n), rows))
    return Blocks(inner=tuple(np.sort(f) for f in np.array_split(others, folds)), test=rows)
