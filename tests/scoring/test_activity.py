"""Units that tell conditions apart are found, units that do not are not, and no video is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.commands.main import main
from mua_decode.scoring.activity import half_correlation, measure_activity, nearest_mean
from mua_decode.types import Recording, Segment, Session, SiteTable, StimulusSet

K, REPEATS, T = 6, 8, 5


def stimuli(k: int = K) -> StimulusSet:
    """An even grey stands in for each."""
    return StimulusSet(
        videos=np.full((k, T, 1, 4, 4), 128, np.uint8),
        condition=np.arange(k),
        conditions=pd.DataFrame({"name": [f"c{i}" for i in range(k)]}),
        segments=(Segment("all", 0, T),),
        frame_s=0.1,
    )


def recording(drive: float, *, onset: float = 3.0, seed: int = 0) -> Recording:
    """Region IT differs between conditions by ``drive``, V4 by nothing; both have an onset."""
    rng = np.random.default_rng(seed)
    condition = np.repeat(np.arange(K), REPEATS)
    region = np.array(["IT"] * 10 + ["V4"] * 10)
    rate = np.full((K, T, 20), 2.0)
    rate[:, 1] += onset
    rate[..., :10] += drive * rng.random((K, T, 10))
    counts = rng.poisson(rate[condition]).astype(np.uint8)
    names = np.array([f"u{i}" for i in range(20)])
    sites = SiteTable(names, region, np.full(20, "s"), np.full(20, "m"))
    session = Session("s", sites, pd.DataFrame({"condition": condition}), counts, bin_s=0.1)
    return Recording("planted", (session,), stimuli())


def test_conditions_are_told_apart_by_the_region_that_knows_them() -> None:
    found = measure_activity(recording(6.0), seed=0)
    rows = found.rows.set_index("region")
    assert rows.index.tolist() == ["IT", "V4", "all"]
    assert rows.loc["IT", "identified"] > 0.8
    assert rows.loc["IT", "p_corrected"] < 0.05
    assert rows.loc["IT", "half_r"] > 0.4
    assert rows.loc["V4", "p_corrected"] > 0.05
    assert abs(rows.loc["V4", "half_r"]) < 0.25  # the onset is no condition
    assert rows.loc["V4", "rate_hz"] == pytest.approx(26.0, rel=0.1)  # 2 + 3/5 of a bin of 0.1 s
    assert (rows["chance"] == 1 / K).all()
    assert found.tests.frame["correction"].eq("Holm over 3").all()
    assert len(found.rates) == 2 * K * T


def test_units_that_know_nothing_are_found_in_one_of_twenty() -> None:
    scores, passed = [], []
    for seed in range(25):
        rows = measure_activity(recording(0.0, seed=seed), seed=seed).rows
        scores.append(rows["identified"].mean())
        passed.append((rows["p_corrected"] < 0.05).any())
    assert np.mean(scores) == pytest.approx(1 / K, abs=0.03)  # leaving out does not bias it
    assert np.mean(passed) <= 0.16  # 4 of 25; more have p = .03


def test_the_nearest_mean_holds_no_trial_that_it_identifies() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(4), 5)
    x = rng.normal(size=(20, 3))
    hits = []
    for i in range(20):
        distance = []
        for c in range(4):
            own = np.flatnonzero(label == c)
            left = np.flatnonzero(label == label[i]).tolist().index(i) % 5
            distance.append(np.sum((x[i] - x[np.delete(own, left)].mean(0)) ** 2))
        hits.append(np.argmin(distance) == label[i])
    assert nearest_mean(x @ x.T, label) == pytest.approx(np.mean(hits))
    same = np.zeros((20, 20))
    assert nearest_mean(same, label) == pytest.approx(1 / 4)  # all tie


def test_halves_of_too_few_trials_have_no_correlation() -> None:
    assert np.isnan(half_correlation(np.ones((3, 2, 2)), np.array([0, 1, 2])))
    one = measure_activity(_one_condition(), seed=0)
    assert one.rows["identified"].isna().all()
    assert one.tests.frame["note"].str.contains("fewer than 2 conditions").all()


def _one_condition() -> Recording:
    whole = recording(0.0)
    session = whole.sessions[0]
    own = Session("s", session.sites, session.trials.assign(condition=0), session.counts, bin_s=0.1)
    return Recording("one", (own,), stimuli(1))


def test_inspect_prints_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["inspect", "recording=simulated_small"]
    main([*small, f"activity={tmp_path / 'rates.png'}"])
    said = capsys.readouterr()
    text = " ".join((said.out + said.err).split())
    assert (tmp_path / "rates.png").stat().st_size > 10_000
    for word in ("identi-", "chance", "560 permutations, one-sided", "Holm over"):
        assert word in text
    assert "activity=" not in text[text.index("next: ") :]
    with pytest.raises(SystemExit):
        main([*small, "activity=rates.txt"])
    assert "ends in .png" in capsys.readouterr().err
