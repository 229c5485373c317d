"""What is planted can be read back from the counts, and from nothing else."""

import numpy as np
import pandas as pd
import pytest

from mua_decode.simulation import (
    PopulationParameters,
    RegionParameters,
    StimulusParameters,
    simulate,
)
from mua_decode.types import InputError, Recording


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate(
        stimulus=StimulusParameters(variants=1), population=PopulationParameters(), seed=0
    )


def segment_counts(recording: Recording, segment: int) -> list[np.ndarray]:
    """Spikes per trial in a segment, float (trials, N) per session."""
    part = recording.stimuli.segments[segment]
    out = []
    for session in recording.sessions:
        assert session.counts is not None
        assert session.bin_s is not None
        per_frame = round(recording.stimuli.frame_s / session.bin_s)
        inside = slice(part.start * per_frame, part.stop * per_frame)
        out.append(session.counts[:, inside].sum(axis=1).astype(float))
    return out


def explained(recording: Recording, feature: str, segment: int) -> pd.Series:
    """Median over a region's sites of the share of variance between feature values."""
    values = []
    for session, x in zip(recording.sessions, segment_counts(recording, segment), strict=True):
        means = pd.DataFrame(x).groupby(session.trials[feature].to_numpy()).mean()
        values.append(means.var(ddof=0).to_numpy() / x.var(axis=0))
    return pd.Series(np.concatenate(values)).groupby(recording.sites.region).median()


def test_sites_and_trials(recording: Recording) -> None:
    regions = pd.Series(recording.sites.region).value_counts().to_dict()
    assert regions == {"PFC": 30, "FEF": 30, "LIP": 30, "MT": 20, "IT": 10, "V4": 20}
    assert recording.truth["sites"]["site_id"].tolist() == recording.sites.site_id.tolist()
    for session in recording.sessions:
        assert set(session.sites.regions) == set(regions)
        assert session.counts is not None
        assert session.counts.dtype == np.uint8
        assert session.counts.shape == (64 * 20, 225, len(session.sites))
        assert (np.bincount(session.condition) == 20).all()
        assert {"response", "correct", "cue", "colour"} <= set(session.trials.columns)
        shown = recording.stimuli.conditions["cue"].to_numpy()[session.condition]
        assert (session.trials["cue"] == shown).all()


@pytest.mark.parametrize(
    ("feature", "segment", "leader"),
    [("cue", 1, "V4"), ("colour", 2, "LIP"), ("direction_deg", 2, "MT")],
)
def test_the_planted_region_leads(
    recording: Recording, feature: str, segment: int, leader: str
) -> None:
    share = explained(recording, feature, segment)
    assert share.idxmax() == leader
    assert share[["PFC", "FEF"]].max() < 0.01  # pure sampling: 3 / 1280 on average
    assert share.drop(["PFC", "FEF"]).min() > 2 * share[["PFC", "FEF"]].max()


def test_preferences_can_be_read_back(recording: Recording) -> None:
    truth = recording.truth["sites"].set_index("site_id")
    cues = segment_counts(recording, 1)
    for session, x in zip(recording.sessions, cues, strict=True):
        v4 = np.flatnonzero(session.sites.region == "V4")
        best = pd.DataFrame(x).groupby(session.trials["cue"].to_numpy()).mean().idxmax()
        planted = truth.loc[session.sites.site_id, "preferred_cue"].to_numpy()
        assert (best.to_numpy()[v4] == planted[v4]).all()


def test_counts_vary_more_than_poisson(recording: Recording) -> None:
    session, x = recording.sessions[0], segment_counts(recording, 2)[0]
    one = x[session.condition == 3]
    assert (one.var(axis=0, ddof=1) / one.mean(axis=0)).mean() > 1.5
    assert 20 < x.mean() / 3.0 < 100  # spikes per second


def test_nothing_knows_the_cue_before_it_is_shown(recording: Recording) -> None:
    assert explained(recording, "cue", 0).max() < 0.01


def decode(recording: Recording, regions: list[str]) -> dict[str, float]:
    """Nearest class mean of 100 ms counts on pseudo-trials of held-out trials, by feature."""
    rng = np.random.default_rng(0)
    table = recording.stimuli.conditions
    n = len(table)
    means, tests = [], []
    for session in recording.sessions:
        assert session.counts is not None
        keep = session.sites.in_regions(regions)
        x = session.counts[:, :, keep].reshape(session.n_trials, 45, 5, -1).sum(axis=2)
        order = np.argsort(session.condition, kind="stable")  # trials are in random order
        by_condition = x[order].reshape(n, -1, 45, x.shape[-1]).astype(np.float32)
        n_train = round(0.7 * by_condition.shape[1])
        train, rest = by_condition[:, :n_train], by_condition[:, n_train:]
        mu, sd = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
        pick = rng.integers(rest.shape[1], size=(n, 4, 1, x.shape[-1]))
        pseudo = np.take_along_axis(rest, pick, axis=1)
        means.append((train.mean(axis=1) - mu) / sd)
        tests.append((pseudo - mu) / sd)
    m = np.concatenate(means, axis=-1).reshape(n, -1)
    t = np.concatenate(tests, axis=-1).reshape(n * 4, -1)
    found = ((m**2).sum(axis=1) - 2 * t @ m.T).argmin(axis=1)
    true = np.repeat(np.arange(n), 4)
    columns = ("name", "cue", "colour", "direction_deg")
    return {
        c: float(np.mean(table[c].to_numpy()[found] == table[c].to_numpy()[true])) for c in columns
    }


def test_calibration(recording: Recording) -> None:
    """All sites identify the condition; without a feature's region that feature suffers most."""
    regions = recording.sites.regions
    full = decode(recording, regions)
    assert full["name"] > 0.95
    without = {r: decode(recording, [q for q in regions if q != r]) for r in regions}
    for feature, leader in (("cue", "V4"), ("colour", "LIP"), ("direction_deg", "MT")):
        assert min(without, key=lambda r, f=feature: without[r][f]) == leader  # type: ignore[misc]
        assert without[leader][feature] < 0.9
    for untuned in ("PFC", "FEF"):
        assert without[untuned]["name"] > full["name"] - 0.02
        assert decode(recording, [untuned])["name"] < 0.06


def test_any_regions_and_sessions() -> None:
    population = PopulationParameters(
        regions={"X": RegionParameters(sites=3, direction=1.0), "Y": RegionParameters(sites=2)},
        sessions=5,
        subjects=["only"],
        trials_per_condition=1,
        base_bin_s=0.05,
    )
    recording = simulate(stimulus=StimulusParameters(variants=1), population=population, seed=3)
    assert [len(s.sites) for s in recording.sessions] == [1] * 5
    assert recording.truth["regions"]["region"].tolist() == ["X", "Y"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regions": {}}, "at least one region"),
        ({"regions": {"X": RegionParameters(sites=1)}}, "1 sites cannot fill 6 sessions"),
        ({"sessions": 0}, "sessions must be a whole number >= 1, found 0"),
        ({"trials_per_condition": 1.5}, "trials_per_condition must be a whole number"),
        ({"base_bin_s": 0.0}, "base_bin_s must be > 0"),
    ],
)
def test_errors(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PopulationParameters(**options)


def test_region_errors() -> None:
    with pytest.raises(InputError, match="sites must be a whole number >= 1, found 0"):
        RegionParameters(sites=0)
    with pytest.raises(InputError, match="colour must be >= 0, found -1"):
        RegionParameters(sites=1, colour=-1)


def test_bins_must_fill_the_trial() -> None:
    with pytest.raises(InputError, match=r"trial of 4.5 s is not a whole number of 0.04 s"):
        simulate(
            stimulus=StimulusParameters(variants=1),
            population=PopulationParameters(base_bin_s=0.04),
            seed=0,
        )
