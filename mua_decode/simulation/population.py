"""The neurons: sessions with different sites, tuned to cue shape, colour and direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mua_decode.limits import check_memory
from mua_decode.simulation.behaviour import BehaviourParameters, draw_responses
from mua_decode.simulation.checks import require_range, require_whole, whole_steps
from mua_decode.simulation.noise import NoiseParameters, draw_counts
from mua_decode.simulation.rates import mean_rates
from mua_decode.simulation.regions import RegionParameters, six_regions
from mua_decode.simulation.tuning import TuningParameters, plant_sites
from mua_decode.types import InputError, Session, SiteTable, StimulusSet

_ROW = 256  # bytes of a table, about
_NEEDED = ("cue", "hue_deg", "direction_deg")
_IDENTITY = ("site_id", "region", "session", "subject")


@dataclass(frozen=True, kw_only=True)
class PopulationParameters:
    """Everything that makes the recorded spikes."""

    regions: Mapping[str, RegionParameters] = field(default_factory=six_regions)
    tuning: TuningParameters = field(default_factory=TuningParameters)
    noise: NoiseParameters = field(default_factory=NoiseParameters)
    behaviour: BehaviourParameters = field(default_factory=BehaviourParameters)
    # Number of sessions, >= 1 and <= sites; every region's sites are dealt out to them in turn.
    sessions: int = 6
    subjects: Sequence[str] = ("A", "B")  # names of the animals, recorded in turn
    trials_per_condition: int = 20  # trials of every condition in every session, >= 1
    # Width of the bins in which spikes are counted, seconds; frames and the trial are whole numbers
    # of bins.
    base_bin_s: float = 0.02

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", {str(k): v for k, v in self.regions.items()})
        object.__setattr__(self, "subjects", tuple(str(s) for s in self.subjects))
        where, given = "population", vars(self)
        require_whole(where, given, "sessions", "trials_per_condition", low=1)
        require_range(where, given, "base_bin_s", low=0, above=True)
        if not self.regions or not self.subjects:
            raise InputError(f"{where}: at least one region and one subject are needed")
        total = sum(r.sites for r in self.regions.values())
        if total < self.sessions:
            raise InputError(
                f"{where}: {total} sites cannot fill {self.sessions} sessions; every session "
                "needs one"
            )

    @property
    def planted(self) -> pd.DataFrame:
        """One row per region: ``region`` and everything planted in it."""
        return pd.DataFrame([{"region": name, **vars(r)} for name, r in self.regions.items()])


def _deal(planted: pd.DataFrame, parameters: PopulationParameters) -> pd.DataFrame:
    """Give every site a session, a subject and an id; order by session, then region.

    Sites are dealt one by one through all regions, so every region with at least as many sites
    as there are sessions is in all of them and sessions differ by one site at most.
    """
    dealt = planted.copy()
    number, subjects = np.arange(len(planted)) % parameters.sessions, np.array(parameters.subjects)
    dealt["session"] = [f"session{s + 1:02d}" for s in number]
    dealt["subject"] = subjects[number % len(subjects)]
    within = planted.groupby("region").cumcount() + 1
    dealt["site_id"] = dealt["session"] + "-" + dealt["region"] + "-" + within.map("{:03d}".format)
    order = np.argsort(number, kind="stable")
    columns = [*_IDENTITY, *(c for c in dealt.columns if c not in _IDENTITY)]
    return dealt[columns].iloc[order].reset_index(drop=True)


def simulate_sessions(
    parameters: PopulationParameters, *, stimuli: StimulusSet, seed: np.random.SeedSequence
) -> tuple[tuple[Session, ...], pd.DataFrame]:
    """Record all sessions; of the stimuli only conditions and timing are used, never the dots.

    Tuning and every session have random streams of their own, spawned from ``seed``. Counts are in
    bins of ``base_bin_s``; trials tables have ``condition``, the columns of the conditions table,
    ``response`` and ``correct``, in random order. The table says what was planted: one row per
    site, in the order of the sessions.
    """
    table = stimuli.conditions
    missing = [c for c in _NEEDED if c not in table.columns]
    if missing:
        raise InputError(f"population: conditions table has no column '{missing[0]}'")
    width = parameters.base_bin_s
    duration_s = stimuli.n_frames * stimuli.frame_s
    bins = whole_steps("population", duration_s=duration_s, step_s=width, name="trial")
    _check_size(
        parameters, n_trials=stimuli.n_conditions * parameters.trials_per_condition, bins=bins
    )
    fresh = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)
    site_seed, *session_seeds = fresh.spawn(1 + parameters.sessions)
    planted = plant_sites(
        parameters.regions,
        parameters.tuning,
        cues=tuple(dict.fromkeys(table["cue"])),
        rng=np.random.default_rng(site_seed),
    )
    sites = _deal(planted, parameters)
    time_s = (np.arange(bins) + 0.5) * width
    groups = [group for _, group in sites.groupby("session", sort=False)]
    sessions = tuple(
        _record(group, parameters=parameters, stimuli=stimuli, time_s=time_s, seed=child)
        for group, child in zip(groups, session_seeds, strict=True)
    )
    return sessions, sites


def _check_size(parameters: PopulationParameters, *, n_trials: int, bins: int) -> None:
    """Refuse an experiment that memory does not hold, before any of it is drawn."""
    n_sites = sum(region.sites for region in parameters.regions.values())
    counts = n_trials * bins * n_sites  # a byte each, and eight in the session that is drawn
    tables = _ROW * (n_sites + parameters.sessions * (1 + n_trials))
    check_memory(counts + 8 * counts // parameters.sessions + tables, "simulation: spikes")


def _record(
    sites: pd.DataFrame,
    *,
    parameters: PopulationParameters,
    stimuli: StimulusSet,
    time_s: np.ndarray,
    seed: np.random.SeedSequence,
) -> Session:
    """Record one session: the order of trials and the answers, then the spikes."""
    trial_seed, spike_seed = seed.spawn(2)
    rng = np.random.default_rng(trial_seed)
    every = np.repeat(np.arange(stimuli.n_conditions), parameters.trials_per_condition)
    condition = rng.permutation(every)
    shown = stimuli.conditions.drop(columns="name").iloc[condition].reset_index(drop=True)
    answers = draw_responses(shown, behaviour=parameters.behaviour, rng=rng)
    rates = mean_rates(
        sites, regions=parameters.regions, tuning=parameters.tuning, stimuli=stimuli, time_s=time_s
    )
    counts = draw_counts(
        rates,
        condition=condition,
        baseline_hz=sites["baseline_hz"].to_numpy(),
        bin_s=parameters.base_bin_s,
        noise=parameters.noise,
        seed=spike_seed,
    )
    return Session(
        name=str(sites["session"].iloc[0]),
        sites=SiteTable(**{c: sites[c].to_numpy() for c in _IDENTITY}),
        trials=pd.concat([pd.DataFrame({"condition": condition}), shown, answers], axis=1),
        counts=counts,
        bin_s=parameters.base_bin_s,
        window_s=parameters.base_bin_s,
    )
