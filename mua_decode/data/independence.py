"""Which conditions are independent: those that share no recorded trial."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mua_decode.data.datamodule import DecodingData
from mua_decode.data.splitting import linked_conditions
from mua_decode.types import Recording

UNIT = "conditions"
GROUPED_UNIT = "groups of conditions that share recorded trials"


def condition_groups(trials: Recording | DecodingData) -> np.ndarray:
    """Label conditions, those linked by a shared presentation of some session alike.

    Parts of one recorded presentation may stand for several conditions (two stretches of a movie,
    a movie and the movie it is paired with). Their activity is not independent, nor are their
    scores; the groups are.

    Parameters
    ----------
    trials
        A recording, or what was built from one; then the sessions of its population count.

    Returns
    -------
    int (K,): 0, 1, ... in order of the first condition; ``arange(K)`` where nothing is shared.
    """
    pairs = _of_recording(trials) if isinstance(trials, Recording) else _of_data(trials)
    return linked_conditions(pairs, trials.stimuli.n_conditions)


def group_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Average (K, ...) within groups (K,), NaN left out; NaN where a group has no value.

    The means are float (G, ...), in order of the sorted labels.
    """
    values = np.asarray(values, float)
    of = np.unique(groups, return_inverse=True)[1]
    known = ~np.isnan(values)
    total = np.zeros((of.max(initial=-1) + 1, *values.shape[1:]))
    number = np.zeros_like(total)
    np.add.at(total, of, np.where(known, values, 0))
    np.add.at(number, of, known)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / number)


def unit_of(groups: np.ndarray) -> str:
    """What one group is, in words; plain conditions where no group is larger than one."""
    return UNIT if len(np.unique(groups)) == len(groups) else GROUPED_UNIT


def _of_recording(recording: Recording) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    for session in recording.sessions:
        label = session.trials["presentation"].to_numpy()
        yield session.condition, np.unique(label, return_inverse=True)[1]


def _of_data(data: DecodingData) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    pool = data.pool
    for name in dict.fromkeys(pool.sites.session.tolist()):
        column = int(np.flatnonzero(pool.sites.session == name)[0])
        used = pool.condition[:, column] >= 0
        yield pool.condition[used, column], pool.presentation[used, column]
