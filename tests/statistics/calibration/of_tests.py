"""Cases of the tests, nulls and corrections: by exported name."""

from __future__ import annotations

import numpy as np

from mua_decode.statistics import (
    Units,
    adjust,
    correct,
    gaussian_input_null,
    label_permutation,
    noise_comparison,
    paired_circular,
    paired_t,
    permutation_null,
    rank_p,
    unit_t,
    unpaired_t,
    v_test,
)
from mua_decode.types import HypothesisTable
from tests.statistics.calibration.cases import ASKED, Case, absent, covers, rejects, unsure
from tests.statistics.calibration.structures import (
    AT_WORK,
    CROSSED,
    CUES,
    TWO_WAY,
    Rng,
    draws_of,
    factorial,
    linked,
    linked_table,
    seed_units,
    seeds,
    sessions,
    shared,
    two_way,
)

_LINKED = "16 conditions, {} to a presentation"


def _t_of_units() -> list[Case]:
    cases: list[Case] = []
    for icc in (0.1, 0.3, 0.5):

        def cue(rng: Rng, icc: float = icc) -> bool:
            return rejects(unit_t(factorial(rng, icc), CUES, **ASKED))

        def pair(rng: Rng, icc: float = icc) -> bool:
            base = rng.normal(size=64)
            return rejects(paired_t(base + factorial(rng, icc), base, n_unit=CUES, **ASKED))

        text = f"64 conditions, {icc:.0%} of variance of the cue"
        cases += [
            Case("unit_t", text, "4 cues", "size", cue),
            Case("paired_t", text, "4 cues", "size", pair),
        ]
    for name, icc, k in AT_WORK:

        def crossed(rng: Rng, icc: float = icc, k: int = k) -> bool:
            return rejects(unit_t(factorial(rng, icc, factors=k), CROSSED, **ASKED))

        text, n = f"64 conditions, {name}", "4 × 4 × 4 crossed"
        cases.append(Case("unit_t", text, n, "size", crossed, draws_of(icc)))
    for k in (3, 5, 10):

        def of_seeds(rng: Rng, k: int = k) -> bool:
            values = seeds(rng, k, of_seed=0.2, of_condition=0.3).ravel()
            return rejects(unit_t(values, seed_units(k), **ASKED))

        cases.append(
            Case("unit_t", "seeds × conditions, both matter", f"{k} × 64", "size", of_seeds, 1000)
        )

    for shape, of, text in TWO_WAY:

        def both(rng: Rng, shape: tuple[int, int] = shape, of: float = of) -> bool:
            return rejects(unit_t(*two_way(rng, shape, of_first=of), **ASKED))

        n = f"{shape[0]} × {shape[1]}"
        cases.append(Case("unit_t", text, n, "size", both, 24000))

    def two(rng: Rng) -> bool:
        return absent(unit_t(*two_way(rng, (2, 64)), **ASKED), "two of the seeds")

    def interval(rng: Rng) -> bool:
        return covers(unit_t(factorial(rng, 0.3), CUES, **ASKED))

    def power(rng: Rng) -> bool:
        return rejects(unit_t(1 + factorial(rng, 0.3), CUES, **ASKED))

    def one(rng: Rng) -> bool:
        return absent(unit_t(*sessions(rng, 1), **ASKED), "one of the sessions, no interval")

    return [
        *cases,
        Case("unit_t", "effect; 30% of variance of the cue", "4 cues", "coverage", interval),
        Case("unit_t", "effect of 1 s.d.; 30% of variance of the cue", "4 cues", "power", power),
        Case("unit_t", "sites share sessions", "1 session", "says", one),
        Case("unit_t", "seeds × conditions", "2 × 64", "says", two),
    ]


def _t_of_groups() -> list[Case]:
    cases: list[Case] = []
    for each in (1, 2, 4):

        def pair(rng: Rng, each: int = each, shift: float = 0.0) -> HypothesisTable:
            base = rng.normal(size=16)
            units = linked(16, each)
            return paired_t(shift + base + shared(rng, 16, each), base, n_unit=units, **ASKED)

        text, n = _LINKED.format(each), f"{16 // each} presentations"
        cases += [
            Case("paired_t", text, n, "size", lambda rng, f=pair: rejects(f(rng))),
            Case("paired_t", f"effect; {text}", n, "coverage", lambda rng, f=pair: covers(f(rng))),
            Case("paired_t", f"effect of 1 s.d.; {text}", n, "power",
                 lambda rng, f=pair: rejects(f(rng, shift=1.0))),
        ]  # fmt: skip

    def apart(rng: Rng, shift: float = 0.0) -> HypothesisTable:
        (a, one), (b, two) = sessions(rng, 8), sessions(rng, 8)
        label = np.concatenate([one.levels[:, 0], np.char.add("x", two.levels[:, 0])])
        units = Units.crossed([("sessions", label)])
        return unpaired_t(a + shift, b, n_unit=units, **ASKED)

    def published(rng: Rng, shift: float = 0.0) -> HypothesisTable:
        return unpaired_t(
            rng.normal(size=64) + shift, rng.normal(size=64), n_unit="conditions", **ASKED
        )

    def one(rng: Rng) -> bool:
        values, units = sessions(rng, 1)
        return absent(paired_t(values, 0 * values, n_unit=units, **ASKED), "one of the sessions")

    f = "unpaired_t"
    return [
        *cases,
        Case("paired_t", "sites share sessions", "1 session", "says", one),
        Case(f, "values independent", "64 + 64", "size", lambda rng: rejects(published(rng))),
        Case(f, "effect of .5 s.d.; values independent", "64 + 64", "coverage",
             lambda rng: covers(published(rng, 0.5), 0.5)),
        Case(f, "effect of .5 s.d.; values independent", "64 + 64", "power",
             lambda rng: rejects(published(rng, 0.5))),
        Case(f, "sites share sessions", "8 + 8 sessions", "size", lambda rng: rejects(apart(rng))),
        Case(f, "effect of 1 s.d.; sites share sessions", "8 + 8 sessions", "power",
             lambda rng: rejects(apart(rng, 1.0))),
    ]  # fmt: skip


def _noise_inputs() -> list[Case]:
    def ranked(rng: Rng, n: int = 100, shift: float = 0.0) -> HypothesisTable:
        return gaussian_input_null(rng.normal(size=n), shift + float(rng.normal()), **ASKED)

    def counted(rng: Rng, *, constant: bool) -> HypothesisTable:
        """Unequal counts: data and noise weigh conditions by trials alike."""
        trials, noise = rng.integers(2, 40, 16), rng.normal(size=16) + rng.normal(size=(100, 16))
        own = rng.normal(size=16) * (not constant)
        noise = np.broadcast_to(own, noise.shape) if constant else noise - noise.mean(0)
        drawn = noise[rng.integers(0, 100, (999, 16)), np.arange(16)]
        null, observed = (np.average(v, axis=-1, weights=trials) for v in (drawn, own))
        return gaussian_input_null(null, float(observed), **ASKED)

    def compared(rng: Rng, shift: float = 0.0) -> HypothesisTable:
        return noise_comparison(rng.normal(size=64) + shift, rng.normal(size=100), **ASKED)

    f = "gaussian_input_null"
    return [
        Case(f, "noise scores independent", "100 noise inputs", "size",
             lambda rng: rejects(ranked(rng))),
        Case(f, "2.5 s.d. better than noise", "100 noise inputs", "power",
             lambda rng: rejects(ranked(rng, shift=2.5))),
        Case(f, "noise scores independent", "10 noise inputs", "says",
             lambda rng: unsure(ranked(rng, 10), "smallest possible p 0.0909")),
        Case(f, "noise paired with conditions, unequal counts", "16 conditions", "size",
             lambda rng: rejects(counted(rng, constant=False))),
        Case(f, "constant output, unequal counts", "16 conditions", "says",
             lambda rng: absent(counted(rng, constant=True), "every score is the same")),
        Case("noise_comparison", "values independent", "64 + 100", "size",
             lambda rng: rejects(compared(rng))),
        Case("noise_comparison", "effect of .5 s.d.; values independent", "64 + 100", "power",
             lambda rng: rejects(compared(rng, 0.5))),
        Case("noise_comparison", "effect of .5 s.d.; values independent", "64 + 100", "coverage",
             lambda rng: covers(compared(rng, 0.5), 0.5)),
    ]  # fmt: skip


def _permutations() -> list[Case]:
    def labels(rng: Rng, k: int, each: int = 1, gain: float = 0.0) -> HypothesisTable:
        table = linked_table(rng, k, each) + gain * np.eye(k)
        units = linked(k, each) if each > 1 else None
        return label_permutation(table, rng=rng, n=199, units=units, **ASKED)

    cases = [
        Case("label_permutation", "conditions independent", "8 conditions", "size",
             lambda rng: rejects(labels(rng, 8)), 1000),
        Case("label_permutation", _LINKED.format(2), "8 presentations", "size",
             lambda rng: rejects(labels(rng, 16, 2)), 1000),
        Case("label_permutation", f"effect of 1 s.d.; {_LINKED.format(2)}", "8 presentations",
             "power", lambda rng: rejects(labels(rng, 16, 2, 1.0)), 500),
        Case("label_permutation", "conditions independent", "3 conditions", "says",
             lambda rng: unsure(labels(rng, 3), "3 conditions: smallest possible p 0.167")),
    ]  # fmt: skip

    def classes(rng: Rng, gain: float = 0.0, *, of: str = "presentations") -> float:
        """Do two classes of 24 conditions differ? Two conditions to a presentation."""
        values, label = shared(rng, 24, 2), np.arange(24) // 2 % 2
        values = values + gain * label
        where: dict[str, np.ndarray | Units] = {"units": linked(24, 2)}
        if of == "sessions":
            values, where = (
                values + 3 * (np.arange(24) // 8),
                where | {"groups": np.arange(24) // 8},
            )

        def score(x: np.ndarray) -> float:
            return float(values[x == 1].mean() - values[x == 0].mean())

        return float(permutation_null(score, label, rng=rng, n=99, **where).p)  # type: ignore[arg-type]

    def constant(rng: Rng) -> bool:
        shown = np.deg2rad(np.tile([0.0, 90, 180, 270], 16))
        angle = rng.uniform(-np.pi, np.pi)
        found = permutation_null(lambda to: float(np.cos(angle - to).mean()), shown, rng=rng, n=99)
        return float(found.p) == 1.0

    def few(rng: Rng) -> bool:
        label, values = np.array([0, 0, 1, 1]), rng.normal(size=4)
        found = permutation_null(lambda x: float(values[x == 1].sum()), label, rng=rng, n=99)
        return found.note == "4 labels: smallest possible p 0.167"

    f, text = "permutation_null", "classes of conditions, 2 to a presentation"
    return [
        *cases,
        Case(f, text, "12 presentations", "size", lambda rng: rejects(classes(rng)), 1000),
        Case(f, f"{text}, sessions differ", "3 sessions of 4 presentations", "size",
             lambda rng: rejects(classes(rng, of="sessions")), 1000),
        Case(f, f"effect of 1.5 s.d.; {text}", "12 presentations", "power",
             lambda rng: rejects(classes(rng, 1.5)), 400),
        Case(f, "constant output, even directions: p = 1", "64 conditions", "says", constant),
        Case(f, "values independent", "4 values", "says", few),
        Case("rank_p", "draws exchangeable", "99 draws", "size",
             lambda rng: rejects(rank_p(rng.normal(size=99), rng.normal()))),
        Case("rank_p", "2.5 s.d. better", "99 draws", "power",
             lambda rng: rejects(rank_p(rng.normal(size=99), rng.normal() + 2.5))),
        Case("rank_p", "all draws 0 but for rounding: p = 1", "99 draws", "says",
             lambda rng: float(rank_p(1e-16 * rng.normal(size=99), 3e-16)) == 1.0),
    ]  # fmt: skip


def _angles() -> list[Case]:
    def uniform(rng: Rng, each: int = 1, kappa: float = 0.0) -> HypothesisTable:
        angle = np.rad2deg(rng.vonmises(0, kappa, 12)).repeat(each)
        angle = angle + rng.normal(0, 20, 12 * each)
        return v_test(angle, 0.0, n_unit=linked(12 * each, each), rng=rng, n_resamples=199, **ASKED)

    def followed(rng: Rng, noise_deg: float, *, follows: bool) -> HypothesisTable:
        """It tends to one side, and has no direction for most that move to the other."""
        shown = np.tile([90.0, 30, -30, -90], 6)
        angle = (shown if follows else 40.0) + rng.normal(0, noise_deg, 24)
        lost = rng.random(24) < np.where(shown < 0, 0.7, 0.1)
        angle = np.where(lost, np.nan, angle)
        return v_test(angle, shown, n_unit="conditions", rng=rng, n_resamples=99, **ASKED)

    def paired(rng: Rng, n: int, each: int = 1, worse: float = 1.0) -> HypothesisTable:
        spread = rng.uniform(20, 60, n).repeat(each)
        a, b = (rng.normal(size=n).repeat(each) * spread * w for w in (worse, 1.0))
        units = linked(n * each, each)
        return paired_circular(a, b, n_unit=units, rng=rng, n_resamples=199, **ASKED)

    f, g = "v_test", "paired_circular"
    text = "undefined directions depend on the direction"
    return [
        Case(f, "angles independent", "12 angles", "size", lambda rng: rejects(uniform(rng))),
        Case(f, "2 angles to a unit", "12 units", "size", lambda rng: rejects(uniform(rng, 2))),
        Case(f, "κ = 1", "12 angles", "power", lambda rng: rejects(uniform(rng, 1, 1.0))),
        Case(f, "mean cosine; angles independent", "12 angles", "coverage",
             lambda rng: covers(uniform(rng))),
        Case(f, text, "24 conditions", "size",
             lambda rng: rejects(followed(rng, 60, follows=False)), 1000),
        Case(f, f"they follow; {text}", "24 conditions", "power",
             lambda rng: rejects(followed(rng, 60, follows=True)), 300),
        Case(g, "pairs independent", "12 pairs", "size",
             lambda rng: rejects(paired(rng, 12)), 1000),
        Case(g, "2 pairs to a unit", "12 units", "size",
             lambda rng: rejects(paired(rng, 12, 2)), 1000),
        Case(g, "mean difference; pairs independent", "12 pairs", "coverage",
             lambda rng: covers(paired(rng, 12)), 1000),
        Case(g, "errors three times as large", "12 pairs", "power",
             lambda rng: rejects(paired(rng, 12, 1, 3.0)), 300),
        Case(g, "pairs independent", "4 pairs", "says",
             lambda rng: unsure(paired(rng, 4), "smallest possible p 0.125")),
    ]  # fmt: skip


def _corrections() -> list[Case]:
    def family(rng: Rng) -> bool:
        return bool((adjust(rng.random(6), "holm") <= 0.05).any())

    def false_discoveries(rng: Rng) -> bool:
        """One of the discoveries drawn at random is false: its rate is the false discovery rate."""
        p = np.append(rng.random(6), rng.beta(0.05, 1, 6))
        hits = np.flatnonzero(adjust(p, "fdr_bh") <= 0.05)
        return bool(len(hits) and rng.choice(hits) < 6)

    def table(rng: Rng, method: str) -> HypothesisTable:
        rows = [
            {**ASKED, "test": "t", "p": p, "n": 4, "n_unit": "conditions"} for p in rng.random(6)
        ]
        return correct(HypothesisTable.from_rows(rows), method=method)

    def power(rng: Rng) -> bool:
        return bool(adjust(np.append(rng.random(5), rng.beta(0.05, 1)), "holm")[-1] <= 0.05)

    def any_hit(rng: Rng, method: str) -> bool:
        return bool((table(rng, method).frame["p_corrected"] <= 0.05).any())

    return [
        Case("adjust", "Holm, any of 6 rejected", "6 tests", "size", family),
        Case("adjust", "Benjamini-Hochberg, false discoveries", "6 of 12 tests", "size",
             false_discoveries, 6000, 0.025, "q times the share of true nulls"),
        Case("adjust", "Holm, an effect among 6", "6 tests", "power", power),
        Case("correct", "Holm, any of 6 rejected", "6 tests", "size",
             lambda rng: any_hit(rng, "holm"), 1000),
        Case("correct", "Benjamini-Hochberg, any of 6 rejected", "6 tests", "size",
             lambda rng: any_hit(rng, "fdr_bh"), 1000),
    ]  # fmt: skip


CASES = [
    *_t_of_units(), *_t_of_groups(), *_noise_inputs(), *_permutations(), *_angles(),
    *_corrections(),
]  # fmt: skip
