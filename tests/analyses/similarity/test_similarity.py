from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.similarity.plan import SimilarityPlan
from mua_decode.analyses.similarity.similarity import METRICS, similarity
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.types import InputError, Recording, Session

Build = Callable[..., Recording]


def _data(recording: Recording, **split: object) -> DecodingData:
    return DecodingData(
        recording,
        window=None,
        split=SplitPlan(**split),  # type: ignore[arg-type]
        pseudo=PseudoTrialPlan(per_condition=120),
        batch_size=8,
    )


ALL = SimilarityPlan(trials=10**6, subset=10**6)


def _table(data: DecodingData, plan: SimilarityPlan = ALL) -> pd.DataFrame:
    return similarity(data, plan, seed=0).table.frame


def _value(frame: pd.DataFrame, metric: str, trial: str, mask: str = "none") -> float:
    rows = frame[(frame["metric"] == metric) & (frame["trial"] == trial) & (frame["mask"] == mask)]
    return float(rows.loc[rows["condition"] == "all", "value"].item())


def test_every_pair_is_the_pearson_correlation_numpy_finds(build_recording: Build) -> None:
    data = _data(build_recording(2, trials=8))
    frame = _table(data)
    sites, pool, fitted = data.pool.sites, data.pool, data.standardise
    found: dict[str, list[float]] = {m: [] for m in METRICS}
    for session in ("s0", "s1"):
        columns = np.flatnonzero((sites.session == session) & (sites.region == "V4"))
        parts = {}
        for part in ("train", "test"):
            rows = data.split.trials[part][session]
            z = (pool.counts[np.ix_(rows, columns)] - fitted.mean[columns][:, None]) / fitted.std[
                columns
            ][:, None]
            parts[part] = (z.reshape(len(rows), -1), pool.condition[rows, columns[0]])
        for i, (x, k) in enumerate(zip(*parts["train"], strict=True)):
            others = list(zip(*parts["train"], strict=True))[i + 1 :]
            for (y, c), cross in [(o, 0) for o in others] + [
                (o, 2) for o in zip(*parts["test"], strict=True)
            ]:
                found[METRICS[cross + int(c != k)]].append(np.corrcoef(x, y)[0, 1])
    for metric, values in found.items():
        row = (
            frame[frame["metric"] == metric]
            .query("trial == 'recorded_trial' and mask == 'only V4' and condition == 'all'")
            .iloc[0]
        )
        assert row["n"] == len(values)
        assert row["value"] == pytest.approx(np.mean(values), abs=1e-5)


def test_tuned_trials_of_one_condition_are_more_alike(build_recording: Build) -> None:
    frame = _table(_data(build_recording(6, trials=12)))
    for trial in ("recorded_trial", "pseudo_trial"):
        for mask in ("none", "only V4", "only MT"):
            within, between, cross, cross_between = (_value(frame, m, trial, mask) for m in METRICS)
            assert within > between + 0.2
            assert cross > cross_between + 0.2
            # Training pseudo-trials share recorded trials with each other, test ones do not.
            assert within > cross if trial == "pseudo_trial" else abs(within - cross) < 0.1


def test_on_noise_train_and_test_are_alike_only_when_pooled_before_the_split(
    build_recording: Build,
) -> None:
    recording = build_recording(24, trials=10, tuned=False)
    sound = _table(_data(recording))
    leaking = _table(_data(recording, unit="pseudo_trial"))
    for metric in METRICS:
        assert abs(_value(sound, metric, "recorded_trial")) < 0.02
    assert abs(_value(sound, "train_test_correlation", "pseudo_trial")) < 0.02
    assert abs(_value(leaking, "train_test_between_correlation", "pseudo_trial")) < 0.02
    # Two pseudo-trials share a site's recorded trial with probability 1 over the trials there are.
    shared = _value(leaking, "train_test_correlation", "pseudo_trial")
    assert shared == pytest.approx(1 / 10, abs=0.02)
    assert _value(sound, METRICS[0], "pseudo_trial") == pytest.approx(1 / 7, abs=0.02)
    assert set(leaking["split"]) == {"train (leaking)", "train-test (leaking)"}


def test_conditions_average_to_all_and_count_their_pairs(build_recording: Build) -> None:
    frame = _table(_data(build_recording(1, trials=10)))
    rows = frame[(frame["trial"] == "recorded_trial") & (frame["mask"] == "none")]
    for metric, part in rows.groupby("metric"):
        single, every = part[part["condition"] != "all"], part[part["condition"] == "all"].iloc[0]
        assert len(single) == 4
        mean = np.average(single["value"], weights=single["n"])
        assert mean == pytest.approx(every["value"], abs=1e-6)
        # A pair of two conditions stands in the rows of both.
        assert single["n"].sum() == every["n"] * (2 if "between" in str(metric) else 1)
    assert frame["n"].min() > 0


def test_missing_sites_leave_the_pairs_they_share(build_recording: Build) -> None:
    whole = build_recording(1, trials=40)
    session = whole.sessions[0]
    counts = session.counts.astype(np.float32)
    counts[::3, :, 0] = np.nan
    holed = Session(name="s0", sites=session.sites, trials=session.trials, counts=counts, bin_s=0.1)
    recording = Recording(name="holed", sessions=(holed,), stimuli=whole.stimuli)
    full, part = _table(_data(whole)), _table(_data(recording))
    for metric in METRICS:
        a, b = (_value(f, metric, "recorded_trial") for f in (full, part))
        assert b == pytest.approx(a, abs=0.06)
        assert b != a


def test_subsets_of_twelve_hold_a_hundred_trials_of_each_condition(build_recording: Build) -> None:
    data = _data(build_recording(2, trials=20), train=0.5, val=0.0, test=0.5)
    assert data.pseudo_plan.per_condition == 120  # 60 in each part
    plan = SimilarityPlan(trials=50, subset=12)
    found = similarity(data, plan, seed=0)
    trials = found.trials.set_index(["trial", "part"])
    assert trials.loc[("pseudo_trial", "train")].tolist() == [60, 5]
    assert trials.loc[("pseudo_trial", "test")].tolist() == [60, 5]
    assert trials.loc[("recorded_trial", "train")].tolist() == [10, 1]
    rows = found.table.frame.query("trial == 'pseudo_trial' and mask == 'none'")
    single = rows[rows["condition"] != "all"]
    # Five subsets of 4 conditions x 12 trials: pairs of one subset alone.
    within, cross = (single.loc[single["metric"] == m, "n"].tolist() for m in METRICS[::2])
    assert within == [5 * 12 * 11 / 2] * 4
    assert cross == [5 * 12 * 12] * 4
    pd.testing.assert_frame_equal(rows, similarity(data, plan, seed=0).table.frame.loc[rows.index])
    assert not rows.equals(similarity(data, plan, seed=1).table.frame.loc[rows.index])
    # The mean over subsets is that over all pairs but for sampling.
    for metric in METRICS:
        few, every = (_value(f, metric, "pseudo_trial") for f in (rows, _table(data)))
        assert few == pytest.approx(every, abs=0.02)


def test_distributions_hold_every_pair_once_and_average_to_the_table(
    build_recording: Build,
) -> None:
    found = similarity(_data(build_recording(2, trials=20)), ALL, seed=0)
    for (trial, mask, metric), part in found.distributions.groupby(["trial", "mask", "metric"]):
        row = found.table.frame.query("condition == 'all'")
        row = row[(row["trial"] == trial) & (row["mask"] == mask)]
        row = row[row["metric"] == metric].iloc[0]
        assert part["pairs"].sum() == row["n"]
        centre = (part["low"] + part["high"]) / 2
        assert np.average(centre, weights=part["pairs"]) == pytest.approx(row["value"], abs=3e-3)
    assert len(found.distributions.groupby(["trial", "mask", "metric"])) == 2 * 3 * 4


@pytest.mark.parametrize(("trials", "subset"), [(10, 1), (10, 12)])
def test_impossible_subsets_are_refused(trials: int, subset: int) -> None:
    with pytest.raises(InputError, match="subset"):
        SimilarityPlan(trials=trials, subset=subset)
