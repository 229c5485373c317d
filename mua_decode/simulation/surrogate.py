"""A recording's own trials with activity that knows nothing of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mua_decode.types import InputError, Recording, Session, StimulusSet, Stream


def noise_surrogate(
    recording: Recording, *, seed: int, bin_s: float = 0.02, n_conditions: int | None = None
) -> Recording:
    """Replace the activity of every site by Poisson noise of the same mean rate.

    Activity that was standardised before it was stored is replaced by normal noise.

    Sessions, sites, trials, conditions and shared presentations stay as they are; whatever is
    decoded above chance is due to the protocol, not to the sites. ``bin_s`` is for recordings of
    spike times; recorded counts keep their bins. ``n_conditions`` keeps only so many (>= 2), spread
    evenly over the list; ``None``: all. A session left without trials is an InputError.
    """
    rng = Stream.SURROGATE.rng(seed)
    stimuli, kept = recording.stimuli, np.arange(recording.stimuli.n_conditions)
    if n_conditions is not None and n_conditions < len(kept):
        if n_conditions < 2:
            raise InputError(f"noise surrogate: n_conditions must be >= 2, found {n_conditions}")
        kept = np.linspace(0, len(kept) - 1, n_conditions).round().astype(int)
        stimuli = _only(stimuli, kept)
    sessions = [_noise(s, kept, bin_s, rng) for s in recording.sessions]
    return replace(
        recording,
        name=f"{recording.name}, noise surrogate",
        sessions=tuple(sessions),
        stimuli=stimuli,
        provenance={"surrogate_of": recording.name, "seed": seed},
        truth={},
        notes=(),
    )


def _only(stimuli: StimulusSet, kept: np.ndarray) -> StimulusSet:
    chosen = np.isin(stimuli.condition, kept)
    return replace(
        stimuli,
        videos=stimuli.videos[chosen],
        condition=np.searchsorted(kept, stimuli.condition[chosen]),
        conditions=stimuli.conditions.iloc[kept].reset_index(drop=True),
    )


def _noise(session: Session, kept: np.ndarray, bin_s: float, rng: np.random.Generator) -> Session:
    """Noise of one value per presentation, bin and site; what was not recorded stays missing."""
    rows = np.flatnonzero(np.isin(session.condition, kept))
    if not len(rows):
        raise InputError(f"noise surrogate: session '{session.name}' has none of the conditions")
    trials = session.trials.iloc[rows].reset_index(drop=True)
    trials = trials.assign(condition=np.searchsorted(kept, session.condition[rows]))
    # Trials that share recorded data share their noise, or the split could not keep them apart.
    _, presentation = np.unique(trials["presentation"].to_numpy(), return_inverse=True)
    missing: np.ndarray | None = None
    step, window = session.bin_s, session.window_s
    if session.counts is not None:
        recorded = session.counts[rows]
        missing = np.isnan(recorded) if recorded.dtype.kind == "f" else None
        n_bins = recorded.shape[1]
        with np.errstate(invalid="ignore"):
            mean = np.nan_to_num(np.nanmean(recorded, axis=(0, 1), dtype=float))
            sd = np.nan_to_num(np.nanstd(recorded, axis=(0, 1), dtype=float))
    else:
        times = session.spike_times
        assert times is not None
        step = window = bin_s
        n_bins = max(1, int(times.duration_s / bin_s + 1e-9))
        shape = (session.n_trials, len(session.sites))
        observed = np.ones(shape, bool) if times.observed is None else times.observed
        number = np.bincount(times.site, minlength=len(session.sites))
        mean = number / np.maximum(observed.sum(axis=0) * n_bins, 1)
        if not observed.all():
            missing = np.repeat(~observed[rows, None], n_bins, axis=1)
    size = (presentation.max() + 1, n_bins, len(session.sites))
    if session.measure == "standardised":
        values = rng.normal(mean, sd, size)[presentation].astype(np.float32)
    else:
        counts = rng.poisson(mean, size)[presentation]
        values = counts.astype(np.uint8 if counts.max(initial=0) < 256 else np.uint16)
    if missing is not None:
        values = np.where(missing, np.nan, values).astype(np.float32)
    return replace(
        session, trials=trials, counts=values, spike_times=None, bin_s=step, window_s=window
    )
