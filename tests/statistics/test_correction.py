import numpy as np
import pytest

from mua_decode.statistics import adjust, correct
from mua_decode.types import HypothesisTable, InputError


def _table(p: list[float], metric: list[str]) -> HypothesisTable:
    return HypothesisTable.from_rows(
        [
            {
                "question": "q",
                "group": str(i),
                "metric": m,
                "test": "t",
                "p": v,
                "n": 4,
                "n_unit": "u",
            }
            for i, (v, m) in enumerate(zip(p, metric, strict=True))
        ]
    )


def test_holm_and_benjamini_hochberg_by_hand() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(adjust(p, "holm"), [0.03, np.nan, 0.06, 0.06])
    np.testing.assert_allclose(adjust(p, "fdr_bh"), [0.03, np.nan, 0.04, 0.04])
    np.testing.assert_allclose(adjust(p, "none"), p)
    np.testing.assert_allclose(adjust(np.full(3, np.nan), "holm"), np.full(3, np.nan))
    assert adjust(np.full((2, 2), 0.1), "holm") == pytest.approx(np.full((2, 2), 0.4))
    with pytest.raises(InputError, match="fdr_bh"):
        adjust(p, "bonferoni")


def test_families_are_corrected_apart_and_say_their_size() -> None:
    table = _table([0.01, 0.04, np.nan, 0.03, 0.5], ["a", "a", "a", "a", "b"])
    holm = correct(table).frame
    np.testing.assert_allclose(holm["p_corrected"], [0.03, 0.06, np.nan, 0.06, 0.5])
    assert holm["correction"].tolist() == [
        "Holm over 3", "Holm over 3", "none (no p-value)", "Holm over 3", "Holm over 1",
    ]  # fmt: skip
    bh = correct(table, method="fdr_bh", within=[]).frame
    np.testing.assert_allclose(bh["p_corrected"], [0.04, 0.16 / 3, np.nan, 0.16 / 3, 0.5])
    assert bh["correction"][0] == "Benjamini-Hochberg over 4"


def test_correcting_again_starts_from_the_p_values() -> None:
    table = _table([0.01, 0.04, 0.03], ["a", "a", "a"])
    again = correct(correct(table), method="fdr_bh").frame
    np.testing.assert_allclose(again["p_corrected"], [0.03, 0.04, 0.04])
    np.testing.assert_allclose(
        correct(table, method="none").frame["p_corrected"], [0.01, 0.04, 0.03]
    )
    assert len(correct(HypothesisTable.from_rows([]))) == 0


def test_holm_keeps_the_family_wise_error_and_bh_the_false_discovery_rate() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((400, 6))
    any_hit = [(adjust(row, "holm") < 0.05).any() for row in p]
    assert 0.02 <= np.mean(any_hit) <= 0.085
    p[:, :3] = rng.beta(0.05, 1, (400, 3))
    hits = np.array([adjust(row, "fdr_bh") < 0.05 for row in p])
    false_share = hits[:, 3:].sum(1) / np.maximum(hits.sum(1), 1)
    assert false_share.mean() < 0.05


def test_unknown_columns_and_methods_are_refused() -> None:
    table = _table([0.1], ["a"])
    with pytest.raises(InputError, match="'region'"):
        correct(table, within=["region"])
    with pytest.raises(InputError, match="holm"):
        correct(table, method="bonferroni")
