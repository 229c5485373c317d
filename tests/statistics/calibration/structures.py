"""Simulated values with the dependence that recordings have; of truth 0 unless said."""

from __future__ import annotations

import numpy as np

from mua_decode.statistics import Units

Rng = np.random.Generator
LEVEL = np.indices((4, 4, 4)).reshape(3, -1)
FACTORS = ("cues", "colours", "directions")
CUES = Units.crossed([("cues", LEVEL[0])])
CROSSED = Units.crossed(list(zip(FACTORS, LEVEL, strict=True)))

# What is at work in a factorial design: share of variance, factors it is shared out over.
AT_WORK = (
    ("no factor at work", 0.0, 0),
    ("one factor, 10% of variance", 0.1, 1),
    ("one factor, 50%", 0.5, 1),
    ("three factors, 10% each", 0.3, 3),
)


def draws_of(icc: float) -> int:
    """Data sets of a factorial design; more where its factors are weak, the hardest to count."""
    return 24000 if icc <= 0.1 else 6000


def factorial(rng: Rng, icc: float, *, factors: int = 1) -> np.ndarray:
    """64 = 4 cues × 4 colours × 4 directions; ``icc`` of the variance shared out over factors."""
    out = rng.normal(size=64) * (1 - icc) ** 0.5
    for level in LEVEL[:factors]:
        out += rng.normal(size=4)[level] * (icc / factors) ** 0.5
    return out


def linked(n: int, each: int) -> Units:
    """Units of n values, ``each`` to a presentation."""
    return Units.crossed([("presentations", np.arange(n) // each)])


def shared(rng: Rng, n: int, each: int, *, icc: float = 0.7) -> np.ndarray:
    """n values, ``each`` to a presentation, which has ``icc`` of their variance."""
    out = rng.normal(size=n // each).repeat(each) * icc**0.5
    return out + rng.normal(size=n) * (1 - icc) ** 0.5


def sessions(
    rng: Rng, number: int, *, icc: float = 0.3, equal: bool = False
) -> tuple[np.ndarray, Units]:
    """Sites of sessions, 10 or 3 to 19 each, that share ``icc`` of their variance."""
    size = np.full(number, 10) if equal else rng.integers(3, 20, number)
    label = np.repeat(np.arange(number), size)
    values = rng.normal(size=number)[label] * icc**0.5
    values += rng.normal(size=len(label)) * (1 - icc) ** 0.5
    return values, Units.crossed([("sessions", label)])


# What is at work in a design of two factors: its size, the first factor's share of the variance.
TWO_WAY = (
    ((4, 16), 0.0, "no factor at work"),
    ((4, 16), 0.09, "the factor of few levels, 9% of variance"),
    ((3, 64), 0.0, "no factor at work"),
    ((3, 64), 0.045, "the factor of few levels, 4.5% of variance"),
)


def two_way(
    rng: Rng, shape: tuple[int, int], *, of_first: float = 0.0, of_second: float = 0.0
) -> tuple[np.ndarray, Units]:
    """Values of two crossed factors with the shares of variance of each, and their units."""
    out = rng.normal(size=shape) * (1 - of_first - of_second) ** 0.5
    out += rng.normal(size=(shape[0], 1)) * of_first**0.5
    out += rng.normal(size=shape[1]) * of_second**0.5
    return out.ravel(), two_way_units(shape)


def two_way_units(shape: tuple[int, int]) -> Units:
    """Seeds × conditions of values in a row."""
    return Units.crossed(
        zip(("seeds", "conditions"), np.indices(shape).reshape(2, -1), strict=True)
    )


def seeds(rng: Rng, number: int, *, of_seed: float, of_condition: float) -> np.ndarray:
    """Values (seeds, 64 conditions); the shares of variance of seeds and of conditions."""
    values, _ = two_way(rng, (number, 64), of_first=of_seed, of_second=of_condition)
    return values.reshape(number, 64)


def seed_units(number: int) -> Units:
    """Units of such values in a row."""
    return two_way_units((number, 64))


def linked_table(rng: Rng, k: int, each: int) -> np.ndarray:
    """Scores (K, K) of noise: conditions of one presentation are decoded alike and look alike."""
    m = k // each
    out = rng.normal(size=(m, m)).repeat(each, 0).repeat(each, 1) + 0.5 * rng.normal(size=(k, k))
    return np.asarray(out + rng.normal(size=(k, 1)) + rng.normal(size=(1, k)))
