"""Pseudo-trials: sites of different sessions, assembled into one population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types.errors import InputError
from mua_decode.types.sites import SiteTable


@dataclass(frozen=True, eq=False)
class TrialPool:
    """The windowed counts of all sessions side by side, indexed by (trial, site).

    Sessions have different trials, so row r of one site's column is row r of *its own* session.

    Parameters
    ----------
    counts
        Unsigned integers, or float32 for averaged or standardised activity, (R, N, T); R is the
        largest number of trials of any session. Rows past a session's last trial, and trials in
        which a site was not recorded, hold 0 and are marked in ``observed``.
    observed
        bool (R, N): this site was recorded throughout this trial.
    condition
        int (R, N): condition of the trial, -1 past the session's last trial.
    presentation
        int (R, N): trials of one session with the same number share recorded data.
    sites
        The N sites; columns of one session are simultaneous.
    bin_s, window_s
        Step and width of the counting window in seconds.
    """

    counts: np.ndarray
    observed: np.ndarray
    condition: np.ndarray
    presentation: np.ndarray
    sites: SiteTable
    bin_s: float
    window_s: float

    def __post_init__(self) -> None:
        r, n, _ = self.counts.shape
        for name in ("observed", "condition", "presentation"):
            found = getattr(self, name).shape
            if found != (r, n):
                raise InputError(f"trial pool: {name} must be {(r, n)}, found {found}")
        if len(self.sites) != n:
            raise InputError(f"trial pool: {n} sites in counts, {len(self.sites)} in the table")
        if self.counts.dtype.kind not in "uf":
            raise InputError(f"trial pool: counts are unsigned or float, found {self.counts.dtype}")

    @property
    def n_bins(self) -> int:
        """Bins per trial, T."""
        return int(self.counts.shape[2])


@dataclass(frozen=True, eq=False)
class PseudoTrials:
    """Pseudo-trials as references into a :class:`TrialPool`; counts are gathered on demand.

    Parameters
    ----------
    condition
        int (P,): condition of every pseudo-trial.
    source_trial
        int (P, N): the recorded trial that each site's counts come from (provenance).
    video
        int (P,): index of the video paired with the pseudo-trial.
    source_site
        int (P, N): the site of the pool that each place takes in each pseudo-trial; ``None``: the
        pool's sites, in their order.
    """

    pool: TrialPool
    condition: np.ndarray
    source_trial: np.ndarray
    video: np.ndarray
    source_site: np.ndarray | None = None

    def __post_init__(self) -> None:
        p = len(self.condition)
        n = len(self.pool.sites) if self.source_site is None else self.source_site.shape[-1]
        if self.source_site is not None and self.source_site.shape != (p, n):
            raise InputError(
                f"pseudo-trials: source_site must be {(p, n)}, found {self.source_site.shape}"
            )
        if self.source_trial.shape != (p, n):
            raise InputError(
                f"pseudo-trials: source_trial must be {(p, n)}, found {self.source_trial.shape}"
            )
        if self.video.shape != (p,):
            raise InputError(f"pseudo-trials: video must be {(p,)}, found {self.video.shape}")

    def __len__(self) -> int:
        return len(self.condition)

    def select(self, rows: np.ndarray) -> PseudoTrials:
        """Return the given pseudo-trials."""
        fields = self.condition[rows], self.source_trial[rows], self.video[rows]
        site = None if self.source_site is None else self.source_site[rows]
        return PseudoTrials(self.pool, *fields, source_site=site)

    def sites(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Sites of the pool that the places take: int (B, N), or (N,) where all take the same."""
        if self.source_site is None:
            return np.arange(self.source_trial.shape[1])
        return self.source_site[rows]

    def counts(self, rows: np.ndarray) -> np.ndarray:
        """Counts (B, T, N) of the given pseudo-trials."""
        found = self.pool.counts[self.source_trial[rows], self.sites(rows)]
        return np.asarray(found.transpose(0, 2, 1))
