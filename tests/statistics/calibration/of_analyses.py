"""Cases of what single questions compute themselves: by room and name."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.comparison import _median_interval, _over_units
from mua_decode.analyses.axis.controls import equivalence_p
from mua_decode.analyses.axis.plan import RealityPlan
from mua_decode.analyses.axis.ramp import measure_ramps
from mua_decode.analyses.axis.reality import measure_reality
from mua_decode.analyses.axis.trials import StateTrials
from mua_decode.analyses.axis.units import Units as SiteUnits
from mua_decode.analyses.isolate.noise_inputs import independent_trials, noise_means
from mua_decode.analyses.likelihood.findings import identification_tests
from mua_decode.analyses.likelihood.identify import beaten, curve, guesses
from mua_decode.statistics import jackknife_interval, rank_p, unit_interval
from mua_decode.types import HypothesisTable, PseudoTrials, SiteTable
from tests.statistics.calibration.cases import ASKED, Case, covers, rejects
from tests.statistics.calibration.structures import Rng, seed_units

_IMAGES, _BINS = 30, 6
_TRIALS = "trials the larger noise, the same for all seeds"


def _ramps() -> list[Case]:
    """Bins of an image share its noise, and all images a time course."""

    def smooth(rng: Rng, *size: int) -> np.ndarray:
        own = rng.normal(size=(_IMAGES, 1, *size)) + 0.5 * rng.normal(size=(_IMAGES, _BINS, *size))
        return np.asarray(own.reshape(-1, *size))

    def site(rng: Rng, which: str, slope: float = 0.0) -> bool:
        x = smooth(rng, 4) + np.tile(3 * rng.normal(size=(_BINS, 1)), (_IMAGES, 1))
        weight = rng.normal(size=(4, 1))
        along = x @ weight / (x @ weight).std()
        y = smooth(rng, 1) + slope * along
        found = measure_ramps(
            weight, x_train=x, x_test=x, y_test=y, flat_fraction=0.5, per_image=_BINS
        )
        return rejects(getattr(found, f"p_{which}")[0])

    f, n = "axis.measure_ramps", f"{_IMAGES} images of {_BINS} bins"
    return [
        Case(f, "preferred axis, one-sided; bins share images", n, "size",
             lambda rng: site(rng, "preferred"), 1000),
        Case(f, "orthogonal axis; bins share images", n, "size",
             lambda rng: site(rng, "orthogonal"), 1000),
        Case(f, "orthogonal axis; a slope along the preferred one", n, "size",
             lambda rng: site(rng, "orthogonal", 1.0), 1000),
        Case(f, "preferred axis, a slope of .6 s.d.", n, "power",
             lambda rng: site(rng, "preferred", 0.6), 300),
    ]  # fmt: skip


def _reality() -> list[Case]:
    plan = RealityPlan(regions="all", sizes=(10,), draws=1, n_permutations=99)
    sites = SiteTable([f"s{i}" for i in range(10)], ["IT"] * 10, ["a"] * 10, ["m"] * 10)
    condition = np.repeat(np.arange(8), 6)

    def told(rng: Rng, shift: float, signal: float) -> bool:
        of_object = signal * rng.normal(size=(8, 10))[condition]
        rates = (of_object + rng.normal(size=of_object.shape) + s for s in (0.0, shift))
        states = ([StateTrials(rate, None, condition)] for rate in rates)
        found = measure_reality(*states, sites, plan=plan, rng=rng)[0]
        return rejects(float(found["p"].iloc[0]))

    f, n = "axis.measure_reality", "48 pairs of trials"
    return [
        Case(f, "object signal of 6 s.d.", n, "size", lambda rng: told(rng, 0.0, 6.0), 600),
        Case(f, "no object signal", n, "size", lambda rng: told(rng, 0.0, 0.0), 600),
        Case(f, "states .45 s.d. apart, object signal of 6 s.d.", n, "power",
             lambda rng: told(rng, 0.45, 6.0), 100),
    ]  # fmt: skip


def _spaces() -> list[Case]:
    """Two feature spaces compared over sites: sessions share noise, all sites share images."""

    def drawn(rng: Rng, effect: float) -> tuple[np.ndarray, np.ndarray, SiteUnits]:
        label = np.repeat(np.arange(6), 10)
        each = effect + rng.normal(size=(20, 1)) + 0.5 * rng.normal(size=6)[label]
        each = each + rng.normal(size=(20, 60))
        mean = each.mean(axis=0)
        return mean, (each.sum(axis=0) - each) / 19, SiteUnits(label, "sessions")

    def test(rng: Rng, effect: float = 0.0) -> bool:
        return rejects(_over_units(*drawn(rng, effect), ASKED))  # type: ignore[arg-type]

    f, n = "axis.compare_spaces", "6 sessions × 20 images"
    text = "sites share sessions and images"
    return [
        Case(f, text, n, "size", test, 1000),
        Case(f, f"effect of 1.5 s.d.; {text}", n, "power", lambda rng: test(rng, 1.5), 300),
        Case(f, f"median difference; {text}", n, "coverage",
             lambda rng: covers(_median_interval(*drawn(rng, 0.0))), 6000),
    ]  # fmt: skip


def _equivalence() -> list[Case]:
    def test(rng: Rng, presentations: int, away: float) -> bool:
        means = rng.normal(size=10)
        library = [m + rng.normal(size=presentations) for m in means]
        answered = means.mean() + away + rng.normal(size=presentations)
        return equivalence_p(answered, library, 1.0) <= 0.05

    f, text = "axis.equivalence_p", "answers just as far off as the margin"
    return [
        *(Case(f, text, f"{n} presentations", "size", lambda rng, n=n: test(rng, n, 1.0))
          for n in (3, 5, 20)),
        Case(f, "answers like the library's", "20 presentations", "power",
             lambda rng: test(rng, 20, 0.0), 500),
    ]  # fmt: skip


def _pairings() -> list[Case]:
    """The output depends on the input, and is as good for noise as for the data."""
    inputs = 100

    def ranked(rng: Rng, own: float, k: int, times: int) -> bool:
        noise = np.repeat(rng.normal(size=(inputs, 1)), k, axis=1)
        of = np.full(k, times)
        null = noise_means(noise, np.ones(k), times=of, groups=None, draws=199, rng=rng)
        return rejects(rank_p(null, own))

    def test(rng: Rng, k: int, trials: int, better: float = 0.0) -> bool:
        return ranked(rng, better + rng.normal(size=(trials, k)).mean(), k, trials)

    def pooled(rng: Rng, k: int = 8, sites: int = 30) -> bool:
        """What a pseudo-trial scores is a sum over sites of what each recorded trial gives."""
        condition = np.repeat(np.arange(k), 100)
        source = rng.integers(0, 10, (len(condition), sites))
        pool = SimpleNamespace(sites=[None] * sites)
        pseudo = PseudoTrials(pool, condition, source, condition)  # type: ignore[arg-type]
        recorded = rng.normal(size=(k, 10, sites)) / sites**0.5
        own = recorded[condition[:, None], source, np.arange(sites)].sum(axis=1).mean()
        return ranked(rng, float(own), k, int(independent_trials(pseudo).min()))

    f, text = "isolate.compare_with_noise", f"{inputs} noise inputs, as many a condition as trials"
    pools = f"{inputs} noise inputs, 8 conditions of 100 pseudo-trials of 10"
    return [
        *(Case(f, text, f"{inputs} noise inputs, {k} conditions, {r} a condition", "size",
               lambda rng, k=k, r=r: test(rng, k, r), draws)
          for k, r, draws in ((16, 1, 2000), (16, 20, 2000), (64, 20, 1000), (512, 4, 500))),
        Case(f, f"{text}; pseudo-trials draw from recorded ones",
             pools, "size", pooled, 2000),
        Case(f, f"half an s.d. better; {text}",
             f"{inputs} noise inputs, 64 conditions of 20 trials", "power",
             lambda rng: test(rng, 64, 20, 0.5), 200),
    ]  # fmt: skip


def _named(
    rng: Rng, *, folds: int, videos: int, to_group: int = 1, knows: float = 0.0
) -> pd.DataFrame:
    """Held-out trials, 20 a video, named by liking: some videos are, whatever was shown."""
    parts, shape = [], (videos, 20, videos)
    for fold in range(folds):
        like = 1.5 * rng.normal(size=videos) + rng.gumbel(size=shape)
        like[np.arange(videos), :, np.arange(videos)] += knows
        names = np.array([*(f"{fold} {i}" for i in range(videos)), ""])
        own = fold * videos + np.arange(videos)
        each = {"condition": names[:-1], "group": own // to_group, "presentations": own}
        parts.append(
            pd.DataFrame(
                {name: np.repeat(label, shape[1]) for name, label in each.items()}
                | {"method": "likelihood", "partition": 0, "fold": fold, "size": videos,
                   "guess": names[guesses(like)].ravel(), "beaten": beaten(like).ravel()}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _identified() -> list[Case]:
    """Identification of videos never shown, by whoever knows nothing of them."""

    def test(rng: Rng, **design: float) -> HypothesisTable:
        return identification_tests(_named(rng, **design), "conditions")  # type: ignore[arg-type]

    def coverage(rng: Rng) -> bool:
        trials = _named(rng, folds=6, videos=10)
        row = curve(trials, [], groups="conditions", rng=rng).iloc[-1]
        return bool(row["low"] <= row["chance"] <= row["high"])

    f, text = "likelihood.identification", "some videos are named whatever was shown"
    designs = (
        ("60 conditions in 6 folds", {"folds": 6, "videos": 10}),
        ("15 conditions in 5 folds", {"folds": 5, "videos": 3}),
        ("15 groups of 4 conditions in 5 folds", {"folds": 5, "videos": 12, "to_group": 4}),
    )
    return [
        *(Case(f, text, n, "size", lambda rng, of=of: rejects(test(rng, **of)), 1000)
          for n, of in designs),
        Case(f, f"{text}; interval of the curve", designs[0][0], "coverage", coverage, 1000),
        Case(f, f"half a s.d. of the noise likelier; {text}", designs[0][0], "power",
             lambda rng: rejects(test(rng, **designs[0][1], knows=0.5)), 200),
    ]  # fmt: skip


def _explainable() -> list[Case]:
    """Explained over explainable variance, both summed over all sites; the truth is 1."""

    def of(rng: Rng, number: int) -> bool:
        label = np.repeat(np.arange(number), 15)
        signal = 0.2 + 0.05 * rng.normal(size=number)[label] + 0.05 * rng.normal(size=len(label))
        part, whole = (signal + 0.1 * rng.normal(size=len(label)) for _ in range(2))
        return covers(jackknife_interval(lambda k: part[k].sum() / whole[k].sum(), label), 1.0)

    return [
        Case("jackknife_interval", "explained over explainable variance, a fifth is signal",
             f"{number} sessions of 15 sites", "coverage", lambda rng, k=number: of(rng, k), 1000)
        for number in (3, 6, 15)
    ]  # fmt: skip


def _seeds() -> list[Case]:
    def of(number: int) -> Callable[[Rng], bool]:
        def case(rng: Rng) -> bool:
            values = 0.3 * rng.normal(size=64) + 0.1 * rng.normal(size=(number, 1))
            values = values + 0.25 * rng.normal(size=(number, 64))
            return covers(unit_interval(values.ravel(), seed_units(number), rng=rng))

        return case

    return [
        Case("unit_interval", f"seeds × conditions, {_TRIALS}", f"{k} × 64", "coverage", of(k),
             1000)
        for k in (3, 5, 10)
    ]  # fmt: skip


CASES = [
    *_ramps(), *_reality(), *_spaces(), *_equivalence(), *_pairings(), *_identified(),
    *_explainable(), *_seeds(),
]  # fmt: skip
