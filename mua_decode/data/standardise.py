"""Zero mean and unit variance per site, fitted on training trials only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mua_decode.types import InputError, PseudoTrials, Recording, TrialPool


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Per-site mean and standard deviation, float32 (N,), over training trials and bins.

    Silent sites, which never vary in training, have ``std`` 1; ``n_silent`` counts them. With
    ``root``, the square roots of the counts are standardised instead, which makes the variance of
    Poisson counts nearly independent of their mean (Bartlett 1936, doi 10.2307/2983678).
    """

    mean: np.ndarray
    std: np.ndarray
    n_silent: int = 0
    root: bool = False

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Standardise counts (..., N) -> float32 (..., N)."""
        values = counts.astype(np.float32)
        return ((np.sqrt(values) if self.root else values) - self.mean) / self.std

    def trials(self, pseudo: PseudoTrials, rows: np.ndarray) -> np.ndarray:
        """Standardised activity of pseudo-trials, float32 (B, T, N); each count by its own site."""
        site = pseudo.sites(rows)
        own = Standardiser(
            self.mean[site][..., None, :], self.std[site][..., None, :], root=self.root
        )
        return own(pseudo.counts(rows))

    @classmethod
    def of(
        cls,
        kind: str,
        pool: TrialPool,
        recording: Recording,
        trials: Mapping[str, np.ndarray],
        *,
        root: bool,
    ) -> Standardiser:
        """Make the one that ``kind`` names.

        Raises InputError if there is no such kind, or it does not suit the activity.

        Parameters
        ----------
        kind
            ``train``: see :meth:`fit`. ``none``: activity of a recording that was standardised
            before it was stored stays as it is; a masked site then shows 0.
        trials
            Rows of every session's training part.
        """
        if kind == "train":
            return cls.fit(pool, trials, root=root)
        if kind != "none":
            raise InputError(f"data.standardisation={kind}: choose from train, none")
        if root or any(s.measure != "standardised" for s in recording.sessions):
            raise InputError(
                "data.standardisation=none is for activity that was standardised before it was "
                "stored; counts and their roots need data.standardisation=train"
            )
        n_sites = len(pool.sites)
        return cls(np.zeros(n_sites, np.float32), np.ones(n_sites, np.float32))

    @classmethod
    def fit(
        cls, pool: TrialPool, trials: Mapping[str, np.ndarray], *, root: bool = False
    ) -> Standardiser:
        """Fit on the recorded trials of every session given by row (the training part).

        Raises InputError if ``root`` is asked for and activity is negative, so not counts.
        """
        if root and pool.counts.min(initial=0) < 0:
            raise InputError(
                "data.root=true takes square roots of counts, but the activity has negative "
                "values (it was standardised before it was stored); set data.root=false"
            )
        mean = np.zeros(len(pool.sites), np.float32)
        std = np.zeros(len(pool.sites), np.float32)
        for session, rows in trials.items():
            for n in np.flatnonzero(pool.sites.session == session):
                counts = pool.counts[rows[pool.observed[rows, n]], n].astype(np.float64)
                if root:
                    counts = np.sqrt(counts)
                if counts.size:
                    mean[n], std[n] = counts.mean(), counts.std()
        silent = std == 0
        return cls(mean, np.where(silent, np.float32(1), std), int(silent.sum()), root)
