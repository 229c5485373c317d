"""Sessions side by side in one population, and the pseudo-trials drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mua_decode.data.windows import WindowedSession
from mua_decode.types import InputError, PseudoTrials, SiteTable, Stream, TrialPool


def build_pool(sessions: Sequence[WindowedSession]) -> TrialPool:
    """Lay the windowed sessions side by side; see :class:`TrialPool` for the layout."""
    bins = {w.session.name: (w.counts.shape[1], w.bin_s, w.window_s) for w in sessions}
    if len(set(bins.values())) > 1:
        raise InputError(f"sessions differ in (bins, step, window): {bins}")
    n_bins, bin_s, window_s = next(iter(bins.values()))
    n_rows = max(w.counts.shape[0] for w in sessions)
    sites = SiteTable.concat([w.session.sites for w in sessions])
    dtype = np.result_type(*[w.counts.dtype for w in sessions])
    counts = np.zeros((n_rows, len(sites), n_bins), dtype)
    observed = np.zeros((n_rows, len(sites)), bool)
    condition = np.full((n_rows, len(sites)), -1, np.int64)
    presentation = np.full((n_rows, len(sites)), -1, np.int64)
    first = 0
    for w in sessions:
        n_trials, _, n_sites = w.counts.shape
        block = (slice(0, n_trials), slice(first, first + n_sites))
        counts[block] = w.counts.transpose(0, 2, 1)
        observed[block] = w.observed
        condition[block] = w.session.condition[:, None]
        labels = w.session.trials["presentation"].to_numpy()
        presentation[block] = np.unique(labels, return_inverse=True)[1][:, None]
        first += n_sites
    return TrialPool(counts, observed, condition, presentation, sites, bin_s, window_s)


def select_sites(pool: TrialPool, keep: np.ndarray) -> TrialPool:
    """Return the pool of the sites at the given indices."""
    return replace(
        pool,
        counts=np.ascontiguousarray(pool.counts[:, keep]),
        observed=pool.observed[:, keep],
        condition=pool.condition[:, keep],
        presentation=pool.presentation[:, keep],
        sites=pool.sites.select(keep),
    )


def choose_sites(
    sites: SiteTable,
    *,
    regions: Sequence[str] | None,
    sites_per_region: int | Mapping[str, int] | None,
    seed: int,
) -> np.ndarray:
    """Indices of the sites in the population, in table order.

    Raises InputError if a region is misspelt or has fewer sites than asked for.

    Parameters
    ----------
    regions
        Regions to keep, or ``None`` for all.
    sites_per_region
        How many sites to draw at random from each region: one number, or one per region;
        ``None`` takes all. The draw looks at no activity. With one seed, fewer sites of a region
        are a subset of more, whatever the other regions.
    """
    if isinstance(regions, str):
        regions = [regions]
    wanted = sites.regions if regions is None else list(regions)
    keep = sites.in_regions(wanted)
    if isinstance(sites_per_region, Mapping):
        sites.in_regions(list(sites_per_region))
    if sites_per_region is None:
        return _some(np.flatnonzero(keep))
    rng = Stream.SITES.rng(seed)
    order = {r: rng.permutation(np.flatnonzero(sites.region == r)) for r in sites.regions}
    chosen: list[np.ndarray] = []
    for region in dict.fromkeys(wanted):
        available, number = order[region], sites_per_region
        number = int(number.get(region, 0) if isinstance(number, Mapping) else number)
        if number < 0:
            raise InputError(f"sites_per_region: expected numbers >= 0, found {number}")
        if number > len(available):
            raise InputError(
                f"region '{region}' has {len(available)} sites, fewer than the {number} asked for"
            )
        chosen.append(available[:number])
    return _some(np.sort(np.concatenate([np.empty(0, np.int64), *chosen])))


def _some(sites: np.ndarray) -> np.ndarray:
    if not len(sites):
        raise InputError("the population has no site; check regions and sites_per_region")
    return sites


@dataclass(frozen=True, eq=False)
class Candidates:
    """The recorded trials each site may contribute to each condition, in one part of a split.

    ``trial[n, k, :number[n, k]]`` are rows of site n's session with condition k.
    """

    trial: np.ndarray
    number: np.ndarray

    @property
    def conditions(self) -> np.ndarray:
        """Conditions for which at least one site has a trial."""
        return np.flatnonzero((self.number > 0).any(axis=0))


def find_candidates(
    pool: TrialPool, trials: Mapping[str, np.ndarray], *, n_conditions: int, draw: str
) -> Candidates:
    """List the trials of one part of a split that can be drawn.

    Parameters
    ----------
    trials
        Rows of every session's trials table in this part.
    draw
        ``"site"``: each site draws its own trial (as published; destroys noise correlations).
        ``"session"``: the sites of a session share one trial, so only trials in which all of
        them were recorded can be drawn. ``"recorded"``: nothing is drawn, every trial of the one
        session is taken once (:func:`recorded_as_they_are`).
    """
    if draw not in ("site", "session", "recorded"):
        raise InputError(f"pseudo-trial draw '{draw}' is unknown; use site or session, or recorded")
    sessions = set(pool.sites.session.tolist())
    if draw == "recorded" and len(sessions) > 1:
        raise InputError(
            f"pseudo.draw=recorded takes the trials of one session, the population has sites of "
            f"{len(sessions)}; use pseudo.draw=session, or choose one with data.sessions"
        )
    usable = np.zeros_like(pool.observed)
    for session, rows in trials.items():
        columns = np.flatnonzero(pool.sites.session == session)
        block = pool.observed[np.ix_(rows, columns)]
        usable[np.ix_(rows, columns)] = block if draw == "site" else block.all(axis=1)[:, None]
    n_sites = len(pool.sites)
    number = np.zeros((n_sites, n_conditions), np.int64)
    row, site = np.nonzero(usable)
    condition = pool.condition[row, site]
    np.add.at(number, (site, condition), 1)
    trial = np.zeros((n_sites, n_conditions, max(1, number.max(initial=0))), np.int32)
    order = np.lexsort((row, condition, site))
    starts = np.concatenate([[0], np.cumsum(number.ravel())[:-1]]).reshape(number.shape)
    s, c = site[order], condition[order]
    trial[s, c, np.arange(len(order)) - starts[s, c]] = row[order]
    return Candidates(trial, number)


def draw_pseudo_trials(
    pool: TrialPool,
    candidates: Candidates,
    *,
    condition: np.ndarray,
    video: np.ndarray,
    draw: str,
    rng: np.random.Generator,
) -> PseudoTrials:
    """Assemble pseudo-trials by choosing, per site or per session, a trial of the condition.

    ``condition`` and ``video``, paired with it, are int (P,); for ``draw`` see
    :func:`find_candidates`. Raises InputError if a site has no trial of a condition.
    """
    n_sites = len(pool.sites)
    number = candidates.number[:, condition].T
    if (number == 0).any():
        row, site = np.argwhere(number == 0)[0]
        raise InputError(
            f"site '{pool.sites.site_id[site]}' (session '{pool.sites.session[site]}') has no "
            f"recorded trial of condition {condition[row]} in this part of the split"
        )
    if draw == "session":
        _, column = np.unique(pool.sites.session, return_inverse=True)
        u = rng.random((len(condition), column.max() + 1), dtype=np.float32)[:, column]
    else:
        u = rng.random((len(condition), n_sites), dtype=np.float32)
    pick = np.minimum((u * number).astype(np.int64), number - 1)
    source = candidates.trial[np.arange(n_sites), condition[:, None], pick]
    return PseudoTrials(pool, condition, source, video)


def recorded_as_they_are(pool: TrialPool, candidates: Candidates) -> PseudoTrials:
    """Take every trial of the one session of a pool once, in order; its videos are yet to come."""
    first = candidates.trial[0]
    known = np.arange(first.shape[1]) < candidates.number[0][:, None]
    row = np.sort(first[known])
    source = np.repeat(row[:, None], len(pool.sites), axis=1)
    return PseudoTrials(pool, pool.condition[row, 0], source, np.zeros(len(row), np.int64))
