"""The simulated experiment: render the videos, record the sites, keep what was planted."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from mua_decode import __version__
from mua_decode.simulation.checks import require_whole
from mua_decode.simulation.population import PopulationParameters, simulate_sessions
from mua_decode.simulation.stimulus import StimulusParameters, render_stimuli
from mua_decode.types import Recording, Session, StimulusSet


def simulate(
    *,
    stimulus: StimulusParameters,
    population: PopulationParameters,
    seed: int,
    name: str = "simulation",
) -> Recording:
    """Run the simulated experiment.

    Videos and spikes come from independent random streams: with other dots (number of variants,
    speed, colours' lightness ...) the same seed, a whole number >= 0, still gives the same spikes.
    ``truth`` holds the tables ``sites`` (what each site was planted with) and ``regions``;
    ``provenance`` the parameters, the seed, the package version and SHA-256 sums of the videos and
    of the counts. Raises InputError if the seed is negative or bins and frames do not fit together.
    """
    require_whole("simulation", {"seed": seed}, low=0)
    stimulus_seed, population_seed = np.random.SeedSequence(seed).spawn(2)
    stimuli = render_stimuli(stimulus, seed=stimulus_seed)
    sessions, sites = simulate_sessions(population, stimuli=stimuli, seed=population_seed)
    provenance = {
        "reader": "mua_decode.simulation.simulate",
        "package_version": __version__,
        "seed": int(seed),
        "stimulus": dataclasses.asdict(stimulus),
        "population": dataclasses.asdict(population),
        "sha256": _checksums(stimuli, sessions),
        "licence": "simulated data, free of rights",
    }
    truth = {"sites": sites, "regions": population.planted}
    return Recording(
        name=name, sessions=sessions, stimuli=stimuli, provenance=provenance, truth=truth
    )


def _checksums(stimuli: StimulusSet, sessions: tuple[Session, ...]) -> dict[str, str]:
    """SHA-256 of the videos and of every session's counts and order of conditions."""
    arrays = {"videos": [stimuli.videos]}
    arrays |= {s.name: [s.condition, np.asarray(s.counts)] for s in sessions}
    sums = {}
    for name, parts in arrays.items():
        digest = hashlib.sha256()
        for part in parts:
            digest.update(np.ascontiguousarray(part).data.cast("B"))
        sums[name] = digest.hexdigest()
    return sums
