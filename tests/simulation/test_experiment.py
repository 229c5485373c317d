"""The whole experiment from its configs, as the commands compose it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from mua_decode.simulation import (
    PopulationParameters,
    StimulusParameters,
    simulate,
)
from mua_decode.types import InputError, Recording

CONF = Path(__file__).parents[2] / "conf" / "simulation"


def from_config(name: str, *overrides: str) -> Recording:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        recording = instantiate(compose(name, overrides=list(overrides)))
    assert isinstance(recording, Recording)
    return recording


def spikes(recording: Recording) -> list[str]:
    sums = recording.provenance["sha256"]
    return [sums[s.name] for s in recording.sessions]


def test_default_config_is_the_default_of_the_classes() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("default")
    assert instantiate(cfg.stimulus, _convert_="all") == StimulusParameters()
    assert instantiate(cfg.population, _convert_="all") == PopulationParameters()


def test_small_config() -> None:
    recording = from_config("small")
    assert recording.stimuli.n_conditions == 8
    assert recording.stimuli.videos.shape == (48, 45, 3, 32, 32)
    assert len(recording.sites) == 28
    assert len(recording.sessions) == 2
    json.dumps(dict(recording.provenance))
    assert recording.provenance["seed"] == 0


def test_one_seed_reproduces_and_another_does_not() -> None:
    once, again, other = (from_config("small", f"seed={s}") for s in (0, 0, 1))
    assert once.provenance["sha256"] == again.provenance["sha256"]
    assert once.truth["sites"].equals(again.truth["sites"])
    different = other.provenance["sha256"]
    assert all(different[name] != value for name, value in once.provenance["sha256"].items())


def test_spikes_do_not_depend_on_the_dots_nor_dots_on_the_spikes() -> None:
    small = from_config("small")
    other_dots = from_config("small", "stimulus.variants=2", "stimulus.dots.speed_px_s=3")
    assert spikes(other_dots) == spikes(small)
    other_trials = from_config("small", "population.trials_per_condition=5")
    assert other_trials.provenance["sha256"]["videos"] == small.provenance["sha256"]["videos"]
    assert other_trials.truth["sites"].equals(small.truth["sites"])


def test_noise_config_plants_nothing() -> None:
    recording = from_config("noise")
    weights = recording.truth["sites"].filter(like="weight_")
    assert (weights == 0).all(axis=None)
    assert recording.stimuli.n_conditions == 16
    assert len(recording.sites) >= 20
    for session in recording.sessions:
        assert session.counts is not None
        assert (np.bincount(session.condition) == 10).all()
        x = session.counts.sum(axis=1).astype(float)
        fano = x.var(axis=0, ddof=1) / x.mean(axis=0)
        assert fano.mean() == pytest.approx(1, abs=0.1)
        profile = session.counts.mean(axis=(0, 2))
        assert profile.std() / profile.mean() < 0.03  # constant in time


@pytest.mark.parametrize("seed", [-1, 0.5, True])
def test_seed_errors(seed: object) -> None:
    small = replace(StimulusParameters(), variants=1)
    with pytest.raises(InputError, match="seed must be a whole number >= 0"):
        simulate(stimulus=small, population=PopulationParameters(), seed=seed)  # type: ignore[arg-type]
