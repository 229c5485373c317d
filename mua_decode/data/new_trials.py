"""Trials of another recording, laid out as the population of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mua_decode.data.population import Population
from mua_decode.data.windows import Window, WindowedSession, window_session
from mua_decode.types import InputError, Recording, Session, SiteTable

TRIALS = ("recorded", "assembled")
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class SiteMatch:
    """Which sites of a run a recording has, by site id.

    Parameters
    ----------
    found
        bool (N,): the run's sites that the recording has.
    missing, additional
        Site ids the recording lacks, and those only the recording has.
    moved
        Ids of found sites that lie in another region than in the run.
    """

    found: np.ndarray
    missing: tuple[str, ...]
    additional: tuple[str, ...]
    moved: tuple[str, ...]

    @property
    def line(self) -> str:
        """What was found, in numbers and names, in one line."""
        parts = [f"{int(self.found.sum())} of {len(self.found)} sites of the run found"]
        for what, ids in (
            ("missing", self.missing),
            ("additional and not used", self.additional),
            ("in another region", self.moved),
        ):
            if ids:
                parts.append(f"{len(ids)} {what} ({_some(ids)})")
        return "; ".join(parts)


def match_sites(run: SiteTable, recording: SiteTable) -> SiteMatch:
    """Match sites by ``site_id``."""
    region = dict(zip(recording.site_id.tolist(), recording.region.tolist(), strict=True))
    ids = run.site_id.tolist()
    known = set(ids)
    return SiteMatch(
        found=np.array([s in region for s in ids], bool),
        missing=tuple(s for s in ids if s not in region),
        additional=tuple(s for s in region if s not in known),
        moved=tuple(
            s for s, r in zip(ids, run.region.tolist(), strict=True) if region.get(s, r) != r
        ),
    )


class NewTrials:
    """Trials of a recording in the layout of a run's population, read block by block.

    Parameters
    ----------
    recording
        New trials of its sites; sites are matched by id, the others are not used.
    trials
        ``"recorded"``: every recorded trial by itself; sites of other sessions are missing in it.
        ``"assembled"``: the k-th trials of a condition in all sessions that have sites of the run
        are put side by side, each recorded trial in one such trial at most.
    least_share
        Share of the run's sites, in (0, 1], that every trial's sessions must have.

    Attributes
    ----------
    table
        One row per trial: ``session``, ``trial`` (row of the session's trials table; for
        assembled trials both list the sessions, separated by spaces), ``condition``, ``name``.

    Raises
    ------
    InputError
        If an option is wrong, too few sites match, or bins do not fit the run's.

    Notes
    -----
    A site that is missing, or was not recorded in a trial, stands at 0, its training mean.
    """

    def __init__(
        self,
        population: Population,
        recording: Recording,
        *,
        trials: str = "recorded",
        least_share: float = 0.5,
    ) -> None:
        if trials not in TRIALS:
            raise InputError(f"trials={trials}: choose from {', '.join(TRIALS)}")
        if not 0 < least_share <= 1:
            raise InputError(f"least_share: expected a share in (0, 1], found {least_share}")
        self.population = population
        self.match = match_sites(population.sites, recording.sites)
        self._sessions: list[Session] = []
        self._columns: list[tuple[np.ndarray, np.ndarray]] = []
        place = {s: n for n, s in enumerate(population.sites.site_id.tolist())}
        for session in recording.sessions:
            ids = session.sites.site_id.tolist()
            own = np.array([n for n, s in enumerate(ids) if s in place], int)
            if len(own):
                self._sessions.append(session)
                self._columns.append((own, np.array([place[ids[n]] for n in own], int)))
        self._check_share(recording, trials, least_share)
        self._rows = self._assembled() if trials == "assembled" else self._recorded()
        self.table = self._describe(recording.stimuli.names)

    def __len__(self) -> int:
        return len(self.table)

    def blocks(self, size: int = 32) -> Iterator[np.ndarray]:
        """Iterate over standardised activity, float32 (b, T, N), b at most ``size``.

        The windowed counts of one session (all of them for assembled trials) are held, as
        recorded in small whole numbers; only a block at a time is spread over the population.
        """
        held: dict[int, WindowedSession] = {}
        for first in range(0, len(self._rows), size):
            rows = self._rows[first : first + size]
            used = set(np.flatnonzero((rows >= 0).any(axis=0)).tolist())
            held = {k: w for k, w in held.items() if k in used}
            block = np.full(
                (len(rows), self.population.n_bins, self.population.n_sites), np.nan, np.float32
            )
            for k in sorted(used):
                if k not in held:
                    held[k] = self._windowed(self._sessions[k])
                self._fill(block, rows[:, k], held[k], k)
            yield self.population.activity(block)

    def recorded_sites(self) -> np.ndarray:
        """Sites of the run recorded in each trial, int (trials,), missing data aside."""
        number = np.array([len(own) for own, _ in self._columns])
        return (self._rows >= 0) @ number

    def _fill(self, block: np.ndarray, rows: np.ndarray, windowed: WindowedSession, k: int) -> None:
        own, place = self._columns[k]
        here = np.flatnonzero(rows >= 0)
        counts = windowed.counts[rows[here]][:, :, own].astype(np.float32)
        observed = windowed.observed[np.ix_(rows[here], own)]
        block[np.ix_(here, np.arange(block.shape[1]), place)] = np.where(
            observed[:, None, :], counts, np.nan
        )

    def _windowed(self, session: Session) -> WindowedSession:
        """Count as in the run, and check that bins agree."""
        run, where = self.population, f"session '{session.name}'"
        if session.measure != run.measure:
            raise InputError(f"{where}: holds {session.measure}, the run was on {run.measure}")
        pairs = ((session.bin_s, run.bin_s), (session.window_s, run.window_s))
        if session.spike_times is None and all(
            found is not None and abs(found - expected) <= _TOLERANCE for found, expected in pairs
        ):
            windowed = window_session(session, None)
        elif run.window_s < run.bin_s - _TOLERANCE:
            raise InputError(
                f"{where}: the run counted in {run.window_s:g} s every {run.bin_s:g} s, with gaps; "
                f"only counts recorded like that can be decoded"
            )
        else:
            windowed = window_session(session, Window(width_s=run.window_s, step_s=run.bin_s))
        if windowed.counts.shape[1] != run.n_bins:
            raise InputError(
                f"{where}: trials give {windowed.counts.shape[1]} bins of {run.bin_s:g} s, the "
                f"run has {run.n_bins}; cut the trials as in the run's recording"
            )
        return windowed

    def _check_share(self, recording: Recording, trials: str, least_share: float) -> None:
        n = self.population.n_sites
        together = len({int(p) for _, place in self._columns for p in place})
        smallest = min((len(own) for own, _ in self._columns), default=0)
        share = (together if trials == "assembled" else smallest) / n
        if share >= least_share - _TOLERANCE:
            return
        found = self.match.line
        if trials == "recorded" and together / n >= least_share - _TOLERANCE:
            raise InputError(
                f"recording '{recording.name}': {found}, but its smallest session has {smallest} "
                f"({share:.0%}); put sessions together with trials=assembled, or accept fewer "
                f"with least_share={share:.2g}"
            )
        raise InputError(
            f"recording '{recording.name}': {found}, {share:.0%} of what the network was trained "
            f"on; at least {least_share:.0%} are asked for (least_share)"
        )

    def _recorded(self) -> np.ndarray:
        """Row of every session's trials table in each trial, int (trials, sessions); -1: none."""
        parts = []
        for k, session in enumerate(self._sessions):
            rows = np.full((session.n_trials, len(self._sessions)), -1)
            rows[:, k] = np.arange(session.n_trials)
            parts.append(rows)
        return np.concatenate(parts)

    def _assembled(self) -> np.ndarray:
        parts = []
        conditions = [s.condition for s in self._sessions]
        for c in np.unique(np.concatenate(conditions)):
            rows = [np.flatnonzero(own == c) for own in conditions]
            number = min(map(len, rows))
            parts.append(np.stack([r[:number] for r in rows], axis=1))
        found = np.concatenate(parts)
        if not len(found):
            raise InputError("trials=assembled: no condition has a trial in every session")
        return found

    def _describe(self, names: list[str]) -> pd.DataFrame:
        lines = []
        for rows in self._rows:
            here = np.flatnonzero(rows >= 0)
            used = [(self._sessions[k].name, rows[k]) for k in here]
            condition = int(self._sessions[here[0]].condition[rows[here[0]]])
            sessions, trials = (" ".join(map(str, v)) for v in zip(*used, strict=True))
            lines.append((sessions, trials, condition, names[condition]))
        table = pd.DataFrame(lines, columns=["session", "trial", "condition", "name"])
        return table.assign(sites=self.recorded_sites())


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")
