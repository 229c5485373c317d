"""Sessions side by side in one population, and the pseudo-trials drawn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mua_decode.data.places import RANDOM_SITES, draw_places, place_table
from mua_decode.data.windows import WindowedSession
from mua_decode.types import InputError, PseudoTrials, SiteTable, Stream, TrialPool, composed

DRAWS = ("site", "session", RANDOM_SITES, "recorded")


@dataclass(frozen=True, kw_only=True)
class PseudoTrialPlan:
    """How pseudo-trials are assembled.

    Parameters
    ----------
    per_condition
        Pseudo-trials per condition over train, val and test together; each part gets its share.
    draw
        ``site`` (fixed sites, each a trial of its own), ``session`` (keeps the noise
        correlations within a session), ``random_sites`` (every pseudo-trial draws its sites anew
        within each region, without replacement) or ``recorded`` (every recorded trial of the one
        session once, whatever ``per_condition``).
    fresh
        Draw the training pseudo-trials afresh in every epoch. With the published order they are
        drawn once, before the split, whatever this says.
    """

    per_condition: int = 512
    draw: str = "site"
    fresh: bool = True

    def __post_init__(self) -> None:
        if self.per_condition < 3:
            raise InputError(
                f"pseudo.per_condition must be at least 3 (one for each of train, val and test), "
                f"found {self.per_condition}"
            )


def check_draw(pseudo: PseudoTrialPlan, unit: str) -> None:
    """Raise InputError where the unit of the split gives the draw no meaning."""
    if pseudo.draw == "recorded" and unit == "pseudo_trial":
        raise InputError(
            "pseudo.draw=recorded pools nothing, so that data.split.unit=pseudo_trial (pooled "
            "before the split) has no meaning; set data.split.unit=recorded_trial or published"
        )


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


class AtMost(dict[str, int]):
    """Sites per region where it has more; one with fewer, or not named, keeps all.

    Made as ``AtMost(V4=20, MT=20)``; a region that the recording lacks counts for nothing.
    """

    def note(self, sites: SiteTable) -> str | None:
        """Say in one line which regions have fewer sites than this, ``None`` if none has."""
        found = {r: int((sites.region == r).sum()) for r in sites.regions if r in self}
        short = [f"{r} {n} of {self[r]}" for r, n in found.items() if n < self[r]]
        return f"fewer sites than asked for, all kept: {', '.join(short)}" if short else None


def sites_wanted(
    sites: SiteTable,
    *,
    regions: Sequence[str] | None,
    sites_per_region: int | Mapping[str, int] | None,
) -> dict[str, int]:
    """Number of sites that a population takes of every region, see :func:`choose_sites`.

    Raises InputError if a region is misspelt or has fewer sites than asked for.
    """
    if isinstance(regions, str):
        regions = [regions]
    wanted = sites.regions if regions is None else [composed(r) for r in regions]
    sites.in_regions(wanted)
    if isinstance(sites_per_region, Mapping) and not isinstance(sites_per_region, AtMost):
        sites.in_regions(list(sites_per_region))
    numbers: dict[str, int] = {}
    for region in wanted:
        available = int((sites.region == region).sum())
        if sites_per_region is None:
            number = available
        elif isinstance(sites_per_region, Mapping):
            kept = available if isinstance(sites_per_region, AtMost) else 0
            number = int({composed(r): n for r, n in sites_per_region.items()}.get(region, kept))
        else:
            number = int(sites_per_region)
        if number < 0:
            raise InputError(f"sites_per_region: expected numbers >= 0, found {number}")
        if isinstance(sites_per_region, AtMost):
            number = min(number, available)
        if number > available:
            raise InputError(
                f"region '{region}' has {available} sites, fewer than the {number} asked for"
            )
        numbers[region] = number
    return numbers


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
        How many sites to draw at random from each region: one number, or one per region, or
        :class:`AtMost` so many; ``None`` takes all. The draw looks at no activity. With one seed,
        fewer sites of a region are a subset of more, whatever the other regions.
    """
    numbers = sites_wanted(sites, regions=regions, sites_per_region=sites_per_region)
    rng = Stream.SITES.rng(seed)
    order = {r: rng.permutation(np.flatnonzero(sites.region == r)) for r in sites.regions}
    chosen = [order[region][:number] for region, number in numbers.items()]
    return some_sites(np.sort(np.concatenate([np.empty(0, np.int64), *chosen])))


def some_sites(sites: np.ndarray) -> np.ndarray:
    """Return indices of sites; InputError if there is none."""
    if not len(sites):
        raise InputError("the population has no site; check regions and sites_per_region")
    return sites


@dataclass(frozen=True, eq=False)
class ChosenSites:
    """Sites that form a population, or that its pseudo-trials draw from.

    Parameters
    ----------
    index
        int (M,): which of the recording's sites, in table order.
    number
        How many of each region stand along the site axis.
    notes
        What is to be said of them, one line each.
    drawn
        Whether every pseudo-trial draws its own of them.
    """

    index: np.ndarray
    number: Mapping[str, int]
    notes: tuple[str, ...] = ()
    drawn: bool = False

    def axis(self, sites: SiteTable) -> tuple[SiteTable, list[str]]:
        """Table of the site axis and what is to be said of it, for those left of the sites."""
        if not self.drawn:
            return sites, []
        places = place_table(sites, self.number)
        note = (
            f"{len(places)} of {len(sites)} sites are drawn anew in every pseudo-trial: a place on "
            "the site axis has a region, but is no site"
        )
        return places, [note]


def choose_population(
    sites: SiteTable,
    *,
    draw: str,
    regions: Sequence[str] | None,
    sites_per_region: int | Mapping[str, int] | None,
    seed: int,
) -> ChosenSites:
    """Choose the sites of a population; all of a region where every pseudo-trial draws its own.

    See :func:`choose_sites` for the rest. Raises InputError as it does.
    """
    number = sites_wanted(sites, regions=regions, sites_per_region=sites_per_region)
    short = sites_per_region.note(sites) if isinstance(sites_per_region, AtMost) else None
    notes = (short,) if short and regions is None else ()
    if draw == RANDOM_SITES:
        some = sites.in_regions([region for region, n in number.items() if n])
        return ChosenSites(some_sites(np.flatnonzero(some)), number, notes, drawn=True)
    index = choose_sites(sites, regions=regions, sites_per_region=sites_per_region, seed=seed)
    return ChosenSites(index, number, notes)


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
        ``"site"``: each site draws its own trial (destroys noise correlations).
        ``"session"``: the sites of a session share one trial, so only trials in which all of
        them were recorded can be drawn. ``"random_sites"``: as ``"site"``. ``"recorded"``: nothing
        is drawn, every trial of the one session is taken once (:func:`recorded_as_they_are`).

    Raises InputError if there is no such draw, or ``"recorded"`` has several sessions.
    """
    if draw not in DRAWS:
        raise InputError(
            f"pseudo-trial draw '{draw}' is unknown; use {', '.join(DRAWS[:-1])} or {DRAWS[-1]}"
        )
    sessions = set(pool.sites.session.tolist())
    if draw == "recorded" and len(sessions) > 1:
        raise InputError(
            f"pseudo.draw=recorded takes the trials of one session, the population has sites of "
            f"{len(sessions)}; use pseudo.draw=session, or choose one with data.sessions"
        )
    own = draw in ("site", RANDOM_SITES)
    usable = np.zeros_like(pool.observed)
    for session, rows in trials.items():
        columns = np.flatnonzero(pool.sites.session == session)
        block = pool.observed[np.ix_(rows, columns)]
        usable[np.ix_(rows, columns)] = block if own else block.all(axis=1)[:, None]
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
    places: SiteTable | None = None,
) -> PseudoTrials:
    """Assemble pseudo-trials by choosing, per site or per session, a trial of the condition.

    ``condition`` and ``video``, paired with it, are int (P,); for ``draw`` see
    :func:`find_candidates`. With ``places``, their sites are drawn anew for every pseudo-trial,
    without replacement, from all sites of the region. Raises InputError if a site has no trial of
    a condition.
    """
    if places is not None:
        site = draw_places(pool.sites, places, number=len(condition), rng=rng)
        number = candidates.number[site, condition[:, None]]
        u = rng.random(site.shape, dtype=np.float32)
        pick = np.minimum((u * number).astype(np.int64), number - 1)
        source = candidates.trial[site, condition[:, None], pick]
        return PseudoTrials(pool, condition, source, video, source_site=site)
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
