"""A recording's own trials with activity that knows nothing of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mua_decode.types import InputError, Recording, Session, StimulusSet


def noise_surrogate(
    recording: Recording,
    *,
    seed: int,
    bin_s: float = 0.02,
    n_conditions: int | None = None,
) -> Recording:
    """Replace the activity of every site by Poisson noise of the same mean rate.

    Sessions, sites, trials, conditions and shared presentations stay as they are; whatever is
    decoded above chance is due to the protocol, not to the sites.

    Parameters
    ----------
    recording
        Any recording.
    seed
        Of the noise.
    bin_s
        Bins of the surrogate where the recording has spike times; recorded counts keep theirs.
    n_conditions
        Keep only so many conditions, spread evenly over the list; ``None``: all.

    Raises
    ------
    InputError
        If ``n_conditions`` is below 2 or a session is left without trials.
    """
    rng = np.random.default_rng([seed, 41])
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


def _only(stimuli: StimulusSet, kept: Sequence[int] | np.ndarray) -> StimulusSet:
    chosen = np.isin(stimuli.condition, kept)
    return replace(
        stimuli,
        videos=stimuli.videos[chosen],
        condition=np.searchsorted(kept, stimuli.condition[chosen]),
        conditions=stimuli.conditions.iloc[list(kept)].reset_index(drop=True),
    )


def _noise(session: Session, kept: np.ndarray, bin_s: float, rng: np.random.Generator) -> Session:
    """Counts of one value per presentation, bin and site; missing stays missing."""
    rows = np.flatnonzero(np.isin(session.condition, kept))
    if not len(rows):
        raise InputError(f"noise surrogate: session '{session.name}' has none of the conditions")
    trials = session.trials.iloc[rows].reset_index(drop=True)
    trials = trials.assign(condition=np.searchsorted(kept, session.condition[rows]))
    missing = None
    if session.counts is not None:
        recorded = session.counts[rows]
        missing = np.isnan(recorded) if recorded.dtype.kind == "f" else None
        with np.errstate(invalid="ignore"):
            per_bin = np.nan_to_num(np.nanmean(recorded, axis=(0, 1), dtype=float))
        n_bins, step, window = recorded.shape[1], session.bin_s, session.window_s
    else:
        times = session.spike_times
        assert times is not None
        n_bins, step, window = max(1, int(times.duration_s / bin_s + 1e-9)), bin_s, bin_s
        number = np.bincount(times.site, minlength=len(session.sites))
        per_bin = number / (session.n_trials * n_bins)
    # Trials that share recorded data share their noise, or the split could not keep them apart.
    _, presentation = np.unique(trials["presentation"].to_numpy(), return_inverse=True)
    shape = (presentation.max() + 1, n_bins, len(session.sites))
    counts = rng.poisson(per_bin, shape)[presentation]
    kind = np.uint8 if counts.max(initial=0) < 256 else np.uint16
    values: np.ndarray = counts.astype(kind)
    if missing is not None:
        values = np.where(missing, np.nan, counts).astype(np.float32)
    return replace(
        session, trials=trials, counts=values, spike_times=None, bin_s=step, window_s=window
    )
