"""From a recording to one response per image and site, with what single trials tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mua_decode.data import Window, window_session
from mua_decode.types import InputError, Recording, Session, SiteTable

PERS = ("window", "bin")
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Responses:
    """Mean responses of N sites to K conditions, in spikes per second.

    Parameters
    ----------
    mean
        float64 (K, T, N): mean over trials; T = 1 when averaged over the response window.
    variance
        float64 (K, N): variance over trials (of the window's mean); NaN below two trials.
    n_trials
        int (K, N).
    condition
        int (K,): conditions, in the order of the rows.
    sites
        The N sites.
    responsive_p
        float64 (N,): p-value of visual responsiveness, NaN where it cannot be tested.
    responsive_test
        The test in words, or why there is none.
    window_s
        (start, stop) of the window in seconds.
    notes
        What was left out.
    """

    mean: np.ndarray
    variance: np.ndarray
    n_trials: np.ndarray
    condition: np.ndarray
    sites: SiteTable
    responsive_p: np.ndarray
    responsive_test: str
    window_s: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> np.ndarray:
        """The means as (K * T, N)."""
        return self.mean.reshape(-1, self.mean.shape[2])

    @property
    def has_repeats(self) -> bool:
        """Whether the noise of the mean, and so a ceiling, is known."""
        return bool(np.isfinite(self.variance).any())


def session_rates(
    session: Session, window_s: tuple[float, float] | None, *, bin_s: float | None = None
) -> tuple[np.ndarray, tuple[float, float]]:
    """Rates of single trials in the bins that lie inside a window.

    Parameters
    ----------
    session
        Counts, or spike times together with ``bin_s``.
    window_s
        (start, stop) in seconds; ``None`` takes the whole trial.
    bin_s
        Bin width for spike times.

    Returns
    -------
    float64 (trials, T, N) in spikes per second, NaN where not recorded; and the window.
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


def trials_in_state(session: Session, state: str | None) -> np.ndarray:
    """Rows of the trials in a state; all of them where states are not recorded.

    Raises
    ------
    InputError
        If imagery is asked for and there is none.
    """
    if "state" not in session.trials.columns:
        if state not in (None, "perception"):
            raise InputError(
                f"session '{session.name}': no {state} trials; its trials table has no column "
                "'state' with the values perception and imagery"
            )
        return np.arange(session.n_trials)
    states = session.trials["state"].astype(str).to_numpy()
    rows = np.flatnonzero(states == (state or "perception"))
    if not len(rows):
        found = ", ".join(sorted(set(states)))
        raise InputError(
            f"session '{session.name}': no {state or 'perception'} trials "
            f"(column 'state' holds: {found})"
        )
    return rows


def collect_responses(
    recording: Recording,
    *,
    window_s: tuple[float, float] | None,
    baseline_s: tuple[float, float] | None,
    per: str = "window",
    bin_s: float | None = None,
    state: str | None = None,
) -> Responses:
    """Average the trials of every condition, session by session.

    Parameters
    ----------
    recording
        Any recording; sites of different sessions stand side by side.
    window_s, baseline_s
        Response window and, where trials begin before the image, baseline window, in seconds.
    per
        ``"window"``: one response per image; ``"bin"``: one per bin.
    bin_s
        Bin width for spike times.
    state
        ``"perception"`` or ``"imagery"`` where trials carry a state.

    Raises
    ------
    InputError
        If no condition was shown to all sites, or the windows do not fit.
    """
    if per not in PERS:
        raise InputError(f"response.per must be one of {', '.join(PERS)}; found '{per}'")
    k = recording.stimuli.n_conditions
    parts, ps, tests, window = [], [], [], (0.0, 0.0)
    for session in recording.sessions:
        rows = trials_in_state(session, state)
        rates, window = session_rates(session, window_s, bin_s=bin_s)
        rates, condition = rates[rows], session.condition[rows]
        whole = rates.mean(axis=1)
        parts.append(
            (
                _mean(rates if per == "bin" else whole[:, None], condition, k),
                *_spread(whole, condition, k),
            )
        )
        before = None
        if baseline_s is not None:
            before = session_rates(session, baseline_s, bin_s=bin_s)[0][rows].mean(axis=1)
        p, test = _responsive(whole, before, condition)
        ps.append(p)
        tests.append(test)
    if len({part[0].shape[1] for part in parts}) > 1:
        raise InputError("axis: sessions have different numbers of bins; set response.per=window")
    mean, variance, number = (np.concatenate(a, axis=-1) for a in zip(*parts, strict=True))
    complete = np.isfinite(mean).all(axis=(1, 2))
    if not complete.any():
        raise InputError(
            "axis: no condition was recorded at all sites; choose sessions that share their images"
        )
    notes = list(recording.notes)
    if not complete.all():
        notes.append(
            f"{int((~complete).sum())} of {k} conditions were not recorded at all sites "
            "and are left out"
        )
    return Responses(
        mean=mean[complete],
        variance=variance[complete],
        n_trials=number[complete],
        condition=np.flatnonzero(complete),
        sites=recording.sites,
        responsive_p=np.concatenate(ps),
        responsive_test="; ".join(dict.fromkeys(tests)),
        window_s=window,
        notes=tuple(notes),
    )


def _mean(rates: np.ndarray, condition: np.ndarray, k: int) -> np.ndarray:
    """Mean over the trials of each condition, (K, T, N); NaN without a trial."""
    known = np.isfinite(rates)
    total, number = (np.zeros((k, *rates.shape[1:])) for _ in range(2))
    np.add.at(total, condition, np.where(known, rates, 0))
    np.add.at(number, condition, known)
    with np.errstate(invalid="ignore"):
        return total / np.where(number, number, np.nan)


def _spread(whole: np.ndarray, condition: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Variance over trials (K, N), NaN below two trials, and their number (K, N)."""
    mean = _mean(whole[:, None], condition, k)[:, 0]
    away = np.square(whole - mean[condition])
    known = np.isfinite(away)
    total, number = np.zeros((k, whole.shape[1])), np.zeros((k, whole.shape[1]))
    np.add.at(total, condition, np.where(known, away, 0))
    np.add.at(number, condition, known)
    return total / np.where(number > 1, number - 1, np.nan), number.astype(int)


def _responsive(
    whole: np.ndarray, before: np.ndarray | None, condition: np.ndarray
) -> tuple[np.ndarray, str]:
    """p-value per site that it responds to images at all, and the test in words."""
    if before is not None:
        known = np.isfinite(whole) & np.isfinite(before)
        change = np.where(known, whole - before, np.nan)
        p = stats.wilcoxon(change, axis=0, nan_policy="omit").pvalue
        silent = np.nan_to_num(change).any(axis=0)
        return (
            np.where(silent, p, 1.0),
            "Wilcoxon signed-rank test over trials, response against baseline, two-sided",
        )
    groups = [whole[condition == c] for c in np.unique(condition)]
    groups = [g for g in groups if len(g) > 1]
    if len(groups) < 2:
        return (
            np.full(whole.shape[1], np.nan),
            "none: neither a baseline nor single trials; all sites are counted as responsive",
        )
    return _anova(groups), "one-way ANOVA over single trials, images differ, F test"


def _anova(groups: Sequence[np.ndarray]) -> np.ndarray:
    """F test of equal means, all sites at once; NaN entries are missing trials."""
    n = np.stack([np.isfinite(g).sum(axis=0) for g in groups])
    total = np.stack([np.nansum(g, axis=0) for g in groups])
    square = np.stack([np.nansum(np.square(g), axis=0) for g in groups]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        group_part = np.where(n > 0, np.square(total) / n, 0).sum(axis=0)
        between = group_part - np.square(total.sum(axis=0)) / n.sum(axis=0)
        within = square - group_part
        df_between, df_within = (n > 0).sum(axis=0) - 1, n.sum(axis=0) - (n > 0).sum(axis=0)
        f = (between / df_between) / (within / df_within)
        return np.asarray(np.where(within > 0, stats.f.sf(f, df_between, df_within), 1.0))


def region_masks(sites: SiteTable) -> dict[str, np.ndarray]:
    """Sites of every region, and ``"all"`` first."""
    masks = {"all": np.ones(len(sites), bool)}
    return masks | {region: sites.region == region for region in sites.regions}
