"""Cases of the mixed-effects models: by exported name."""

from __future__ import annotations

from mua_decode.statistics import mixed_mean
from tests.statistics.calibration.cases import ASKED, Case, absent, covers, rejects
from tests.statistics.calibration.structures import AT_WORK, CROSSED, Rng, factorial, sessions

_DRAWS = 1000  # a fit takes a hundredth of a second


def _mixed() -> list[Case]:
    cases: list[Case] = []
    for name, icc, k in AT_WORK:

        def crossed(rng: Rng, icc: float = icc, k: int = k) -> bool:
            return rejects(mixed_mean(factorial(rng, icc, factors=k), CROSSED, **ASKED))

        text, n = f"64 conditions, {name}", "4 × 4 × 4 crossed"
        draws = _DRAWS if icc else 2 * _DRAWS
        cases.append(Case("mixed_mean", text, n, "size", crossed, draws))
    for k in (6, 15):

        def of_sites(rng: Rng, k: int = k) -> bool:
            return rejects(mixed_mean(*sessions(rng, k), **ASKED))

        case = Case("mixed_mean", "sites share sessions", f"{k} sessions", "size", of_sites, _DRAWS)
        cases.append(case)

    def interval(rng: Rng) -> bool:
        return covers(mixed_mean(*sessions(rng, 15), **ASKED))

    def power(rng: Rng) -> bool:
        values, units = sessions(rng, 6)
        return rejects(mixed_mean(values + 0.7, units, **ASKED))

    def one(rng: Rng) -> bool:
        return absent(mixed_mean(*sessions(rng, 1), **ASKED), "one of the sessions, no interval")

    return [
        *cases,
        Case("mixed_mean", "sites share sessions", "15 sessions", "coverage", interval, _DRAWS),
        Case("mixed_mean", "effect of .7 s.d.; sites", "6 sessions", "power", power, 300),
        Case("mixed_mean", "sites share sessions", "1 session", "says", one, 100),
    ]


CASES = _mixed()
