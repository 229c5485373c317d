"""Single trials of perception or imagery, as rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.analyses.axis.plan import ResponsePlan, Span
from mua_decode.data import Window, window_session
from mua_decode.types import InputError, Recording, Session

_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class StateTrials:
    """Single trials of one session in one state."""

    # float64 (R, N), spikes per second in the response window, NaN where not recorded.
    rate: np.ndarray
    # float64 (R, N): rate less the trial's baseline; ``None`` without a baseline window.
    change: np.ndarray | None
    condition: np.ndarray  # int (R,): the condition shown or imagined


def session_trials(
    session: Session, state: str, plan: ResponsePlan
) -> tuple[StateTrials, np.ndarray, tuple[float, float]]:
    """Trials of a state, their rates bin by bin (R, T, N), and the window in seconds.

    Raises InputError if there is no trial of this state, or the windows do not fit.
    """
    rows = _rows_in_state(session, state)
    rates, window_s = _rates(session, plan.window_s, plan.bin_s)
    rates, change = rates[rows], None
    rate = rates.mean(axis=1)
    if plan.baseline_s is not None:
        change = rate - _rates(session, plan.baseline_s, plan.bin_s)[0][rows].mean(axis=1)
    return StateTrials(rate, change, session.condition[rows]), rates, window_s


def state_trials(recording: Recording, state: str, plan: ResponsePlan) -> list[StateTrials]:
    """Single trials of a state, one entry per session."""
    return [session_trials(session, state, plan)[0] for session in recording.sessions]


def shared_objects(trials: Sequence[StateTrials]) -> np.ndarray:
    """Conditions that occur in every session, int (O,).

    Raises InputError if there are fewer than three.
    """
    objects = np.unique(trials[0].condition)
    for t in trials[1:]:
        objects = np.intersect1d(objects, t.condition)
    if len(objects) < 3:
        raise InputError(
            f"imagery: {len(objects)} objects were imagined in every session; need at least 3"
        )
    return objects


def side_by_side(
    states: Sequence[Sequence[StateTrials]], objects: np.ndarray, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put trials of the same object from all sessions side by side, as many in every state.

    With one session these are its simultaneous trials; with several, trials are paired at random
    (pseudo-trials), each used at most once, as many as the session with fewest has. Rates (R, N),
    NaN where not recorded; index of the object and of the state (R,).
    """
    rates, label, which = [], [], []
    for k, o in enumerate(objects):
        here = [
            [rng.permutation(np.flatnonzero(t.condition == o)) for t in trials] for trials in states
        ]
        n = min(len(rows) for state in here for rows in state)
        for i, (trials, picked) in enumerate(zip(states, here, strict=True)):
            parts = [t.rate[rows[:n]] for t, rows in zip(trials, picked, strict=True)]
            rates.append(np.concatenate(parts, axis=1))
            label.append(np.full(n, k))
            which.append(np.full(n, i))
    return np.concatenate(rates), np.concatenate(label), np.concatenate(which)


def _rates(
    session: Session, window_s: Span | None, bin_s: float | None
) -> tuple[np.ndarray, tuple[float, float]]:
    """Rates of single trials in the bins that lie inside a window, the whole trial for ``None``.

    They are float64 (trials, T, N) in spikes per second, NaN where not recorded.
    """
    window = None
    if session.spike_times is not None:
        if bin_s is None:
            raise InputError(
                f"session '{session.name}' holds spike times: give response.bin_s (seconds)"
            )
        window = Window(width_s=bin_s, step_s=bin_s)
    counted = window_session(session, window)
    starts = np.arange(counted.counts.shape[1]) * counted.bin_s
    stop = float(starts[-1] + counted.window_s)
    first, last = window_s or (0.0, stop)
    inside = (starts >= first - _TOLERANCE) & (starts + counted.window_s <= last + _TOLERANCE)
    if not inside.any():
        raise InputError(
            f"session '{session.name}': no bin lies inside {first:g} to {last:g} s; bins of "
            f"{counted.window_s:g} s start every {counted.bin_s:g} s up to {stop:g} s"
        )
    rates = counted.counts[:, inside] / counted.window_s
    return np.where(counted.observed[:, None], rates, np.nan), (float(first), float(last))


def _rows_in_state(session: Session, state: str) -> np.ndarray:
    """Rows of the trials in a state; all are perception where states are not recorded."""
    if "state" not in session.trials.columns:
        if state != "perception":
            raise InputError(
                f"session '{session.name}': no {state} trials; its trials table has no column "
                "'state' with the values perception and imagery"
            )
        return np.arange(session.n_trials)
    states = session.trials["state"].astype(str).to_numpy()
    rows = np.flatnonzero(states == state)
    if not len(rows):
        found = ", ".join(sorted(set(states)))
        raise InputError(
            f"session '{session.name}': no {state} trials (column 'state' holds: {found})"
        )
    return rows
