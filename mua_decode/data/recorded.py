"""Recorded trials of one part of the split, standardised, and their means per condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from mua_decode.data.datamodule import DecodingData
from mua_decode.data.standardise import Standardiser


@dataclass(frozen=True, eq=False)
class SessionTrials:
    """Recorded trials of one session; no trial enters twice, as it may in pseudo-trials.

    Parameters
    ----------
    values
        float32 (R, T, n): standardised activity of the session's n sites, 0 where missing.
    observed
        bool (R, n): the site was recorded in the trial.
    condition, presentation
        int (R,): trials of one presentation share recorded data.
    columns
        int (n,): places of the sites in the population.
    """

    values: np.ndarray
    observed: np.ndarray
    condition: np.ndarray
    presentation: np.ndarray
    columns: np.ndarray

    def rows(self, index: np.ndarray) -> SessionTrials:
        """Return the trials picked by an index array."""
        trials = ("values", "observed", "condition", "presentation")
        return replace(self, **{name: getattr(self, name)[index] for name in trials})

    def sites(self, index: np.ndarray) -> SessionTrials:
        """Return the trials of the sites picked by an index array."""
        columns = self.columns[index]
        values, observed = self.values[:, :, index], self.observed[:, index]
        return replace(self, values=values, observed=observed, columns=columns)

    def sums(self, label: np.ndarray, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
        """Sum trials by label.

        Parameters
        ----------
        label
            int (R,), the sum each trial enters; -1: none.

        Returns
        -------
        Sums (n_labels, T, n) and the number of trials in each (n_labels, n), float.
        """
        row = np.flatnonzero(label >= 0)
        shape = (n_labels, len(label))
        member = csr_array((np.ones(len(row), np.float32), (label[row], row)), shape=shape)
        total = member @ self.values.reshape(len(label), -1)
        number = member @ self.observed.astype(np.float32)
        return total.reshape(n_labels, *self.values.shape[1:]), number


def recorded_trials(data: DecodingData, part: str) -> Iterator[SessionTrials]:
    """Iterate over the sessions that have sites in the population."""
    pool, fitted = data.pool, data.standardise
    for session, rows in data.split.trials[part].items():
        columns = np.flatnonzero(pool.sites.session == session)
        if not len(columns):
            continue
        block = np.ix_(rows, columns)
        observed = pool.observed[block]
        standardise = Standardiser(fitted.mean[columns], fitted.std[columns], root=fitted.root)
        values = standardise(pool.counts[block].transpose(0, 2, 1))
        yield SessionTrials(
            values=values * observed[:, None, :],
            observed=observed,
            condition=pool.condition[rows, columns[0]],
            presentation=pool.presentation[rows, columns[0]],
            columns=columns,
        )


def condition_means(
    sessions: Iterable[SessionTrials], *, n_conditions: int, n_bins: int, n_sites: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average every site over its recorded trials of each condition.

    Returns
    -------
    mean
        float64 (K, T, N); NaN where the site has no trial of the condition.
    number
        float (K, N): trials averaged.
    """
    total = np.zeros((n_conditions, n_bins, n_sites))
    number = np.zeros((n_conditions, n_sites))
    for s in sessions:
        total[:, :, s.columns], number[:, s.columns] = s.sums(s.condition, n_conditions)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / number[:, None, :], number
