"""Cases of the intervals: by exported name."""

from __future__ import annotations

import numpy as np

from mua_decode.statistics import (
    Units,
    cluster_bootstrap,
    crossed_bootstrap,
    interval_columns,
    jackknife_interval,
    median_interval,
    pooled_interval,
    share,
    unit_interval,
)
from tests.statistics.calibration.cases import Case, absent, covers
from tests.statistics.calibration.structures import (
    AT_WORK,
    CROSSED,
    CUES,
    TWO_WAY,
    Rng,
    draws_of,
    factorial,
    seeds,
    sessions,
    shared,
    two_way,
)

_SITES = "sites share sessions"
_ONE = "one of the sessions, no interval over sessions"


def _unit_intervals() -> list[Case]:
    f = "unit_interval"
    cases = [
        Case(
            f, f"64 conditions, {icc:.0%} of variance of the cue", "4 cues", "coverage",
            lambda rng, icc=icc: covers(unit_interval(factorial(rng, icc), CUES, rng=rng)),
        )
        for icc in (0.0, 0.1, 0.3, 0.5)
    ]  # fmt: skip
    cases += [
        Case(
            f, f"64 conditions, {name}", "4 × 4 × 4 crossed", "coverage",
            lambda rng, icc=icc, k=k: covers(
                unit_interval(factorial(rng, icc, factors=k), CROSSED, rng=rng)
            ),
            draws_of(icc),
        )
        for name, icc, k in AT_WORK
    ]  # fmt: skip

    cases += [
        Case(
            f, text, f"{shape[0]} × {shape[1]}", "coverage",
            lambda rng, shape=shape, of=of: covers(
                unit_interval(*two_way(rng, shape, of_first=of), rng=rng)
            ),
            3000,
        )
        for shape, of, text in TWO_WAY
    ]  # fmt: skip

    def independent(rng: Rng, k: int) -> bool:
        return covers(unit_interval(rng.normal(size=k), Units.each(k), rng=rng))

    cases += [
        Case(
            f, "conditions independent", f"{k} conditions", "coverage",
            lambda rng, k=k: independent(rng, k),
        )
        for k in (4, 8, 19, 20, 64)
    ]  # fmt: skip

    def of_sessions(rng: Rng, k: int) -> bool:
        return covers(unit_interval(*sessions(rng, k), rng=rng))

    cases += [
        Case(f, _SITES, f"{k} sessions", "coverage", lambda rng, k=k: of_sessions(rng, k))
        for k in (2, 3, 6, 24)
    ]

    def one(rng: Rng) -> bool:
        return absent(unit_interval(*sessions(rng, 1), rng=rng), _ONE)

    def columns(rng: Rng) -> bool:
        found = interval_columns(factorial(rng, 0.3), CUES, rng=rng)
        return bool(found["units_low"] <= 0 <= found["units_high"])  # type: ignore[operator]

    def these(rng: Rng) -> bool:
        found = interval_columns(factorial(rng, 0.0), CUES, rng=rng)
        return bool(found["low"] <= 0 <= found["high"])  # type: ignore[operator]

    return [
        *cases,
        Case(f, _SITES, "1 session", "says", one),
        Case("interval_columns", "64 conditions, 30% of variance of the cue; units_low", "4 cues",
             "coverage", columns),
        Case("interval_columns", "these 64 conditions; low", "64 conditions", "coverage", these),
    ]  # fmt: skip


def _pooled() -> list[Case]:
    cases: list[Case] = []
    for k, equal in ((2, True), (3, False), (6, False), (10, False), (24, False), (40, False)):
        size = "10 sites each" if equal else "3 to 19 sites each"
        n = f"{k} sessions, {size}"

        def mean(rng: Rng, k: int = k, equal: bool = equal) -> bool:
            return covers(pooled_interval(*sessions(rng, k, equal=equal), rng=rng))

        def boot(rng: Rng, k: int = k, equal: bool = equal) -> bool:
            return covers(cluster_bootstrap(*sessions(rng, k, equal=equal), rng=rng, n=1000))

        cases += [
            Case("pooled_interval", f"{_SITES}, mean", n, "coverage", mean),
            Case("cluster_bootstrap", _SITES, n, "coverage", boot),
        ]
    for k, draws in ((3, 2000), (6, 2000), (24, 300)):

        def median(rng: Rng, k: int = k) -> bool:
            return covers(pooled_interval(*sessions(rng, k), of="median", rng=rng))

        def mid(rng: Rng, k: int = k) -> bool:
            values, units = sessions(rng, k)
            return covers(median_interval(values, rng=rng, units=units, draws=500))

        n = f"{k} sessions, 3 to 19 sites each"
        cases += [
            Case("pooled_interval", f"{_SITES}, median", n, "coverage", median, draws),
            Case("median_interval", _SITES, n, "coverage", mid, draws),
        ]

    def linked_r(rng: Rng) -> bool:
        """The truth is .5: values of a pair share half of their variance, and pairs noise."""
        common, own = rng.normal(size=(20, 30)), rng.normal(size=(2, 20, 30))
        x, y = common + own
        group = np.arange(20) // 2
        x[1::2], y[1::2] = x[::2] * 0.6 + x[1::2] * 0.8, y[::2] * 0.6 + y[1::2] * 0.8

        def z(keep: np.ndarray) -> float:
            return float(np.arctanh(np.corrcoef(x[keep].ravel(), y[keep].ravel())[0, 1]))

        return covers(jackknife_interval(z, group), float(np.arctanh(0.5)))

    def one(rng: Rng) -> bool:
        values, units = sessions(rng, 1)
        mean = lambda keep: float(values[keep].mean())  # noqa: E731
        return absent(jackknife_interval(mean, units), _ONE)

    return [
        *cases,
        Case("jackknife_interval", "correlation over 20 conditions, 2 to a presentation",
             "10 presentations", "coverage", linked_r),
        Case("jackknife_interval", _SITES, "1 session", "says", one),
        Case("pooled_interval", _SITES, "1 session", "says",
             lambda rng: absent(pooled_interval(*sessions(rng, 1)), _ONE)),
        Case("cluster_bootstrap", _SITES, "1 session", "says",
             lambda rng: absent(cluster_bootstrap(*sessions(rng, 1), rng=rng), _ONE)),
    ]  # fmt: skip


def _crossed() -> list[Case]:
    f, cases = "crossed_bootstrap", []
    kinds = (("both matter", 0.2, 0.3), ("neither matters", 0.0, 0.0), ("seeds matter", 0.3, 0.0))
    for k in (3, 5, 10, 25):
        for name, a, b in kinds:

            def of(rng: Rng, k: int = k, a: float = a, b: float = b) -> bool:
                values = seeds(rng, k, of_seed=a, of_condition=b)
                return covers(crossed_bootstrap(values, rng=rng, n=1000))

            n = f"{k} × 64"
            draws = 1000 if k == 25 else 6000
            cases.append(Case(f, f"seeds × conditions, {name}", n, "coverage", of, draws))

    def one(rng: Rng) -> bool:
        found = crossed_bootstrap(rng.normal(size=(1, 64)), rng=rng, names=("seeds", "conditions"))
        return absent(found, "one of the seeds, no interval over seeds")

    def two(rng: Rng) -> bool:
        found = crossed_bootstrap(rng.normal(size=(2, 64)), rng=rng, names=("seeds", "conditions"))
        return absent(found, "two of the seeds of a crossed design, no interval over seeds")

    return [
        *cases,
        Case(f, "seeds × conditions", "1 × 64", "says", one),
        Case(f, "seeds × conditions", "2 × 64", "says", two),
    ]


def _shares_and_medians() -> list[Case]:
    def of_sites(rng: Rng, n: int, truth: float | None) -> bool:
        truth = float(rng.random()) if truth is None else truth
        return covers(share(rng.random(n) < truth), truth)

    def of_sessions(rng: Rng, k: int) -> bool:
        values, units = sessions(rng, k)
        return covers(share(values > 0, units), 0.5)

    def median(rng: Rng, n: int, skewed: bool) -> bool:
        values = rng.exponential(size=n) - np.log(2) if skewed else rng.normal(size=n)
        return covers(median_interval(values, rng=rng))

    any_share = "any share of them hit, drawn evenly"
    cases = [
        Case("share", f"sites independent, {text}", f"{n} sites", "coverage",
             lambda rng, n=n, truth=truth: of_sites(rng, n, truth), 8000)
        for truth, text in ((None, any_share), (0.5, "half of them hit"))
        for n in (8, 40, 200)
    ]  # fmt: skip
    cases += [
        *(Case("share", _SITES, f"{k} sessions, 3 to 19 sites each", "coverage",
               lambda rng, k=k: of_sessions(rng, k)) for k in (3, 6, 24)),
    ]  # fmt: skip
    cases += [
        Case("median_interval", f"values independent, {'skewed' if s else 'normal'}",
             f"{n} values", "coverage", lambda rng, n=n, s=s: median(rng, n, s))
        for n, s in ((6, False), (8, False), (12, True), (40, False), (40, True))
    ]  # fmt: skip

    def few(rng: Rng) -> bool:
        found = median_interval(rng.normal(size=5), rng=rng)
        return absent(found, "5 values: the interval of a median needs 6")

    def one_median(rng: Rng) -> bool:
        values, units = sessions(rng, 1)
        return absent(median_interval(values, rng=rng, units=units), _ONE)

    def few_sites(rng: Rng) -> bool:
        return absent(share(rng.random(7) < 0.5), "7 values: the interval of a share needs 8")

    def one_share(rng: Rng) -> bool:
        values, units = sessions(rng, 1)
        return absent(share(values > 0, units), _ONE)

    return [
        *cases,
        Case("median_interval", "values independent", "5 values", "says", few),
        Case("median_interval", _SITES, "1 session", "says", one_median),
        Case("share", _SITES, "1 session", "says", one_share),
        Case("share", f"sites independent, {any_share}", "7 sites", "says", few_sites),
    ]


def _linked_mean() -> list[Case]:
    """Conditions that share presentations: the pooled correlation, a mean of groups."""

    def of(rng: Rng, each: int) -> bool:
        return covers(pooled_interval(shared(rng, 16, each), np.arange(16) // each, rng=rng))

    return [
        Case("pooled_interval", f"16 conditions, {each} to a presentation",
             f"{16 // each} presentations", "coverage", lambda rng, each=each: of(rng, each))
        for each in (2, 4)
    ]  # fmt: skip


CASES = [*_unit_intervals(), *_pooled(), *_linked_mean(), *_crossed(), *_shares_and_medians()]
