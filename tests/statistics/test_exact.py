"""What must hold exactly: constant decoders, one unit, tests too small to conclude, ties at 0."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from mua_decode.statistics import (
    NoInterval,
    Units,
    cluster_bootstrap,
    crossed_bootstrap,
    gaussian_input_null,
    label_permutation,
    median_interval,
    mixed_mean,
    out_of_reach,
    paired_circular,
    paired_t,
    permutation_null,
    pooled_interval,
    rank_p,
    share,
    smallest_p,
    unit_interval,
    unit_t,
    unpaired_t,
    v_test,
)
from mua_decode.types import InputError

ASKED = {"question": "q", "group": "g", "metric": "m"}
PAIRS = Units.crossed([("presentations", np.arange(8) // 2)])
SESSION = Units.crossed([("sessions", np.zeros(8, int))])


@pytest.mark.parametrize("direction", [0.0, 37.0, 90.0, 123.4])
def test_a_constant_decoder_has_p_one_where_directions_are_even(direction: float) -> None:
    shown = np.tile([0.0, 90, 180, 270], 16)
    rng = np.random.default_rng(0)
    found = v_test(np.full(64, direction), shown, n_unit="conditions", rng=rng, **ASKED).frame
    assert found["p"][0] == 1.0
    assert found["n"][0] == 64
    assert abs(found["effect"][0]) < 1e-12


def test_what_has_no_direction_does_not_tell_that_the_rest_points_right() -> None:
    """Constant, and silent for one of four directions: the mean cosine is above 0, p is 1."""
    shown = np.tile([0.0, 90, 180, 270], 6)
    angle = np.where(shown == 180, np.nan, 0.0)
    rng = np.random.default_rng(0)
    found = v_test(angle, shown, n_unit="conditions", rng=rng, **ASKED).frame.iloc[0]
    assert found["p"] == 1.0
    assert found["effect"] == pytest.approx(0.25)
    assert found["note"] == "6 undefined directions count as 90 degrees off"
    errors = (angle - shown)[~np.isnan(angle)]
    naive = v_test(errors, 0.0, n_unit="conditions", rng=rng, **ASKED).frame.iloc[0]
    assert naive["p"] < 0.05
    right = np.where(shown == 180, np.nan, shown + 5)
    assert v_test(right, shown, n_unit="conditions", rng=rng, **ASKED).frame["p"][0] < 0.001


def test_ties_are_ties_at_zero_too() -> None:
    null = 1e-16 * np.random.default_rng(0).normal(size=99)
    assert rank_p(null, 3e-16) == 1
    assert rank_p(null, 1e-3) == pytest.approx(0.01)
    assert rank_p(null, 3e-16, tie=0.0) < 0.1


def test_a_constant_output_scored_with_unequal_counts_concludes_nothing() -> None:
    rng = np.random.default_rng(0)
    own, trials = rng.normal(size=16), rng.integers(2, 40, 16)
    noise = np.broadcast_to(own, (100, 16))[rng.integers(0, 100, (999, 16)), np.arange(16)]
    null, observed = (np.average(v, axis=-1, weights=trials) for v in (noise, own))
    found = gaussian_input_null(null, float(observed), **ASKED).frame.iloc[0]
    assert np.isnan(found["p"])
    assert "every score is the same" in found["note"]


def test_one_unit_has_neither_interval_nor_p_and_says_so() -> None:
    values, rng = np.arange(8.0), np.random.default_rng(0)
    reason = "one of the sessions, no interval over sessions"
    intervals = {
        "unit_interval": unit_interval(values, SESSION, rng=rng),
        "pooled_interval": pooled_interval(values, SESSION),
        "median": pooled_interval(values, SESSION, of="median"),
        "cluster_bootstrap": cluster_bootstrap(values, SESSION, rng=rng),
        "median_interval": median_interval(values, rng=rng, units=SESSION),
        "share": share(values > 3, SESSION),
    }
    for name, found in intervals.items():
        assert isinstance(found, NoInterval), name
        assert found.reason == reason
        assert np.isnan(found[1:]).all()
        assert found.estimate == (0.5 if name == "share" else 3.5)
    one = crossed_bootstrap(values[None], rng=rng, names=("seeds", "conditions"))
    assert one.reason == "one of the seeds, no interval over seeds"
    tests = [
        unit_t(values, SESSION, **ASKED),
        paired_t(values, 0 * values, n_unit=SESSION, **ASKED),
        paired_circular(values, 0 * values, n_unit=SESSION, rng=rng, **ASKED),
        v_test(values, 0.0, n_unit=SESSION, rng=rng, **ASKED),
    ]
    for table in tests:
        row = table.frame.iloc[0]
        assert np.isnan(row["p"])
        assert (row["n"], row["n_unit"]) == (1, "sessions")
        assert "one of the sessions" in row["note"]
    assert pooled_interval(values, PAIRS).reason == ""
    few = median_interval(values[:5], rng=rng)
    assert few.reason == "5 values: the interval of a median needs 6"


def test_two_levels_of_a_crossed_factor_have_neither_interval_nor_p_and_say_so() -> None:
    """How much two seeds differ by chance is not told by 64 conditions: size .13."""
    rng = np.random.default_rng(0)
    values, reason = (
        9 + rng.normal(size=(2, 64)),
        "two of the seeds of a crossed design, no interval",
    )
    level = np.indices((2, 64)).reshape(2, -1)
    units = Units.crossed(zip(("seeds", "conditions"), level, strict=True))
    for found in (
        crossed_bootstrap(values, rng=rng, names=("seeds", "conditions")),
        unit_interval(values.ravel(), units, rng=rng),
    ):
        assert isinstance(found, NoInterval)
        assert found.reason.startswith(reason)
        assert found.estimate == pytest.approx(values.mean())
    for table in (
        unit_t(values.ravel(), units, **ASKED),
        mixed_mean(values.ravel(), units, **ASKED),
    ):
        row = table.frame.iloc[0]
        assert np.isnan(row["p"])
        assert row["note"].startswith(reason)
        assert row["n"] == 2
    third = np.vstack([values, values[:1]]).ravel()
    level = np.indices((3, 64)).reshape(2, -1)
    units = Units.crossed(zip(("seeds", "conditions"), level, strict=True))
    assert unit_t(third, units, **ASKED).frame["p"][0] < 0.01


def test_a_weak_factor_of_three_levels_is_not_taken_for_known() -> None:
    """Alike by chance: half way from Satterthwaite's degrees of freedom to their two."""
    rng = np.random.default_rng(0)
    level = np.indices((3, 64)).reshape(2, -1)
    units = Units.crossed(zip(("seeds", "conditions"), level, strict=True))
    values = rng.normal(size=(3, 1)) * 0.02 + rng.normal(size=64) + 0.1 * rng.normal(size=(3, 64))
    few = unit_t(values.ravel(), units, **ASKED).frame["df"][0]
    plain = unit_t(values.mean(axis=0), Units.each(64), **ASKED).frame["df"][0]
    assert 2 < few < 0.6 * plain + 1


def test_values_of_a_unit_speak_once_in_every_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 4))
    alone = paired_t(a, b, n_unit="presentations", **ASKED).frame
    twice = paired_t(a.repeat(2), b.repeat(2), n_unit=PAIRS, **ASKED).frame
    for column in ("p", "n", "n_unit", "low", "high", "effect", "note"):
        assert alone[column][0] == pytest.approx(twice[column][0])
    label = Units.crossed([("sessions", np.arange(16) // 2)])
    apart = unpaired_t(a, b, n_unit="sessions", **ASKED).frame
    doubled = unpaired_t(a.repeat(2), b.repeat(2), n_unit=label, **ASKED).frame
    assert doubled["p"][0] == pytest.approx(apart["p"][0])
    assert doubled["n"][0] == 8
    both = Units.crossed([("sessions", np.tile(np.arange(8) // 2, 2))])
    with pytest.raises(InputError, match="sessions stand in both groups"):
        unpaired_t(a.repeat(2), b.repeat(2), n_unit=both, **ASKED)
    angles = [
        f(x, y, n_unit=unit, rng=np.random.default_rng(0), **ASKED).frame
        for f, y in ((v_test, 0.0), (paired_circular, None))
        for x, y, unit in (
            (90 * a, 90 * b if y is None else y, "presentations"),
            (90 * a.repeat(2), 90 * b.repeat(2) if y is None else y, PAIRS),
        )
    ]
    for one, two in (angles[:2], angles[2:]):
        assert one["p"][0] == pytest.approx(two["p"][0])
        assert one["n"][0] == two["n"][0] == 4
        assert one["low"][0] == pytest.approx(two["low"][0])


def test_units_for_other_values_are_refused() -> None:
    with pytest.raises(InputError, match="expected 8 values, found 6"):
        paired_t(np.ones(6), np.ones(6), n_unit=PAIRS, **ASKED)
    with pytest.raises(InputError, match="one unit per label"):
        permutation_null(lambda _: 0.0, np.arange(6), rng=np.random.default_rng(0), units=PAIRS)
    crossed = Units.crossed([("cues", np.arange(4)), ("colours", np.arange(4))])
    with pytest.raises(InputError, match="crossed"):
        pooled_interval(np.ones(4), crossed)


def test_units_move_whole_and_within_groups() -> None:
    """Labels of a unit stay together, in order; where a unit has one label, sizes may differ."""
    unit = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])
    seen: list[np.ndarray] = []

    def keep(x: np.ndarray) -> float:
        seen.append(x.copy())
        return 0.0

    rng = np.random.default_rng(0)
    permutation_null(keep, np.arange(9), rng=rng, n=60, units=unit)
    for one in seen:
        assert one[8] == 8  # no other unit of its size
        pairs = one[:8].reshape(4, 2)
        assert (pairs[:, 1] - pairs[:, 0] == 1).all()
        assert sorted(one) == list(range(9))
    assert len({tuple(one) for one in seen}) > 12
    seen.clear()
    label, group = np.array([0, 0, 1, 1, 0, 0, 1, 1, 1]), np.array([0] * 4 + [1] * 5)
    permutation_null(keep, label, rng=rng, n=60, units=unit, groups=group)
    for one in seen:
        assert (one[0:8:2] == one[1:8:2]).all()
        assert one[:4].sum() == 2
    assert len({tuple(one) for one in seen}) == 2 * 3
    with pytest.raises(InputError, match="two groups"):
        permutation_null(keep, label, rng=rng, units=unit, groups=np.array([0] * 5 + [1] * 4))


def test_permuted_conditions_that_share_presentations_change_places_together() -> None:
    """A table of noise in which linked conditions are alike stands out condition by condition."""
    rng = np.random.default_rng(3)
    naive, ours = [], []
    for _ in range(150):
        table = rng.normal(size=(8, 8)).repeat(2, 0).repeat(2, 1)
        table += 0.1 * rng.normal(size=(16, 16))
        units = Units.crossed([("presentations", np.arange(16) // 2)])
        naive.append(label_permutation(table, rng=rng, n=99, **ASKED).frame["p"][0])
        row = label_permutation(table, rng=rng, n=99, units=units, **ASKED).frame.iloc[0]
        assert (row["n"], row["n_unit"]) == (8, "presentations")
        ours.append(row["p"])
    assert np.mean(np.array(naive) <= 0.05) > 0.09
    assert 0.01 <= np.mean(np.array(ours) <= 0.05) <= 0.09
    other = Units.crossed([("presentations", np.array([0, 1, 1, 2, 2, 2]))])
    stuck = label_permutation(np.eye(6), rng=rng, n=99, units=other, **ASKED).frame.iloc[0]
    assert stuck["p"] == 1
    assert stuck["note"] == "3 presentations: smallest possible p 1"


@pytest.mark.parametrize("n", [2, 4, 5, 6, 7])
def test_the_smallest_p_of_pairs_is_that_of_all_signs(n: int) -> None:
    size = np.arange(1.0, n + 1)
    signs = [np.array(s) for s in itertools.product((-1, 1), repeat=n)]
    flipped = np.array([abs((s * size).mean()) for s in signs])
    assert smallest_p("sign flip", n) == pytest.approx((flipped >= flipped.max()).mean())
    wilcoxon = min(stats.wilcoxon(s * size, method="exact").pvalue for s in signs)
    assert smallest_p("Wilcoxon", n) == pytest.approx(wilcoxon)
    rng = np.random.default_rng(0)
    row = paired_circular(size, 0 * size, n_unit="conditions", rng=rng, **ASKED).frame.iloc[0]
    assert row["p"] == pytest.approx(smallest_p("sign flip", n))
    said = f"{n} conditions: smallest possible p {2.0 ** (1 - n):.3g}"
    assert row["note"] == (said if n < 6 else "")
    assert out_of_reach(0.05, 9, "conditions") == ""
    with pytest.raises(InputError, match="sign flip or Wilcoxon"):
        smallest_p("t", n)  # type: ignore[arg-type]


def test_few_permutations_say_what_they_cannot_reach() -> None:
    rng = np.random.default_rng(0)
    score = np.array([0.0, 0.1, 1, 1.1])
    label = np.array([0, 0, 1, 1])
    found = permutation_null(lambda x: float(score[x == 1].sum()), label, rng=rng, n=99)
    assert found.note == "4 labels: smallest possible p 0.167"
    many = permutation_null(lambda x: float(x @ np.arange(9)), np.arange(9), rng=rng, n=99)
    assert many.note == ""
    few = permutation_null(lambda x: float(x @ np.arange(9)), np.arange(9), rng=rng, n=9)
    assert few.note == "9 labels: smallest possible p 0.1"
    three = label_permutation(np.eye(3), rng=rng, n=99, **ASKED).frame.iloc[0]
    assert three["note"] == "3 conditions: smallest possible p 0.167"
    noise = gaussian_input_null(np.arange(10.0), 20.0, **ASKED).frame.iloc[0]
    assert "smallest possible p 0.0909" in noise["note"]


def test_a_share_over_sessions_is_no_narrower_than_the_exact_one() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(6), 10)
    hits = rng.random(60) < np.repeat(rng.random(6), 10)
    alone, over = share(hits), share(hits, Units.crossed([("sessions", label)]))
    assert over.low <= alone.low < alone.high <= over.high
    assert over.high - over.low > 1.5 * (alone.high - alone.low)
    assert share(np.ones(60, bool), label) == (1.0, share(np.ones(60, bool)).low, 1.0)


def test_median_between_order_statistics() -> None:
    """Six values: .969 of the time between the smallest and the largest."""
    x = np.array([3.0, 1, 2, 6, 5, 4, np.nan])
    found = median_interval(x, rng=np.random.default_rng(0))
    assert found.estimate == 3.5
    assert 1 < found.low < 2
    assert found.low - 1 == pytest.approx(6 - found.high)
