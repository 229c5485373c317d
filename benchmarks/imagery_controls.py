"""Does the imagery analysis find what was planted, and nothing where nothing was? Twenty seeds.

    python benchmarks/imagery_controls.py [--seeds 20] [--permutations 499]

Negative controls: imagery replays what no axis explains (half of the response of tuned sites, or
the whole response of untuned or imagery-only sites), so that imagined responses must not follow an
axis; beside it the same axes fitted on the imagined objects too. Shares: sites that imagery raises
or lowers, by a little or much, all objects alike or some up and some down. Prints the tables of the
docs; three minutes on one core.
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.alignment import along_axis, correlation_interval
from mua_decode.analyses.axis.held_out import hold_out
from mua_decode.analyses.axis.imagery import Imagery, measure_imagery
from mua_decode.analyses.axis.plan import AxisPlan, ResponsePlan
from mua_decode.analyses.axis.reactivation import Sign
from mua_decode.analyses.axis.responses import Responses, collect_responses
from mua_decode.analyses.axis.ridge import RidgeDesign, make_blocks
from mua_decode.analyses.axis.trials import state_trials
from mua_decode.runs.config import compose
from mua_decode.runs.plan import read_plan
from mua_decode.simulation import ImageryParameters, SiteKinds, simulate_imagery
from mua_decode.statistics import adjust

HALF = SiteKinds(idiosyncratic=0.5, replays="idiosyncratic")
SITES = ImageryParameters(
    regions={"VTC": 96}, sessions=8, images=150, latents=30, share_tuned=0.75, image_size=24
)
# What is planted, and the sites asked.
CONTROLS = {
    "half axis, half idiosyncratic; replays the latter": (
        replace(SITES, share_reactivating=0.5, kinds=HALF),
        "reactivates",
    ),
    "untuned, replays its responses": (
        replace(SITES, share_tuned=0.5, kinds=SiteKinds(share_untuned_replaying=1)),
        "untuned_replaying",
    ),
    "silent in perception, responds in imagery": (
        replace(SITES, share_tuned=0.5, kinds=SiteKinds(share_imagery_only=1)),
        "imagery_only",
    ),
    "positive control: replays along its axis": (SITES, "reactivates"),
}


def shifted(shift_hz: float, scale: float) -> ImageryParameters:
    """40 % of the tuned sites change by so much on average, more or less from object to object."""
    if shift_hz < 0:
        kinds = SiteKinds(share_suppressed=0.4, suppression_hz=-shift_hz)
        return replace(SITES, share_reactivating=0.0, kinds=kinds)
    return replace(SITES, imagery_shift_hz=shift_hz, imagery_scale=scale)


SHARES = {
    "raised by 3 spikes/s": shifted(3, 0.5),
    "raised by 1 spike/s": shifted(1, 0.1),
    "lowered by 3 spikes/s": shifted(-3, 0),
    "lowered by 1 spike/s": shifted(-1, 0),
    "raised by 0.5 spikes/s": shifted(0.5, 0.05),
    "some objects up, some down, 4 spikes/s": shifted(0, 1),
    "some objects up, some down, 2 spikes/s": shifted(0, 0.5),
    "nothing": replace(SITES, share_reactivating=0.0),
}


@dataclass(frozen=True)
class Measured:
    """One simulated recording and what was found."""

    truth: pd.DataFrame
    responses: Responses
    features: np.ndarray
    imagery: Imagery
    plan: AxisPlan


@functools.cache
def _plan(permutations: int) -> AxisPlan:
    options = [f"test.n_permutations={permutations}", "n_components=30"]
    return read_plan(AxisPlan, compose("axis", options))


def measure(planted: ImageryParameters, seed: int, permutations: int) -> Measured:
    """Simulate and measure; the features are the images' true latents."""
    plan = _plan(permutations)
    span = ResponsePlan(
        window_s=(0.5, 1.0), baseline_s=(0.0, 0.5), baseline_segment=None, per="window", bin_s=None
    )
    recording = simulate_imagery(imagery=planted, seed=seed)
    responses = collect_responses(recording, span)
    trials, seen = (state_trials(recording, s, span) for s in ("imagery", "perception"))
    features = recording.truth["images"].filter(like="latent").to_numpy()
    rng, objects = np.random.default_rng(seed), np.unique(trials[0].condition)
    names, sites = recording.stimuli.names, responses.sites
    held = hold_out(objects, features, responses, names=names, plan=plan, rng=rng)
    silent = adjust(responses.responsive_p, "fdr_bh") > plan.test.alpha
    imagery = measure_imagery(
        trials, seen, held, sites=sites, silent=silent, plan=plan.test, rng=rng
    )
    truth = recording.truth["sites"].set_index("site_id").loc[sites.site_id]
    return Measured(truth, responses, features, imagery, plan)


def in_sample(found: Measured, group: np.ndarray) -> float:
    """Median correlation where the axes were fitted on the imagined objects too."""
    k, rng = len(found.features), np.random.default_rng(0)
    blocks = make_blocks(k, test_fraction=0.2, inner_folds=5, rng=rng)
    fit = RidgeDesign(found.features, blocks).fit(found.responses.rows, blocks)
    projected = fit.predict(found.features[found.imagery.held.blocks.test])
    return along_axis(found.imagery.imagined, projected, group, 1, rng)[2]


def control(name: str, seed: int, permutations: int) -> dict[str, object]:
    """One seed of a negative control."""
    planted, column = CONTROLS[name]
    found = measure(planted, seed, permutations)
    group, imagery = found.truth[column].to_numpy(bool), found.imagery
    rng = np.random.default_rng(seed)
    _, p, median, p_median = along_axis(
        imagery.imagined, imagery.held.projected, group, permutations, rng
    )
    levels = {"95 % interval": 0.95, "interval over 20 seeds at once": 1 - 0.05 / 20}
    intervals = {
        k: correlation_interval(
            imagery.imagined, imagery.held.projected, group, imagery.units.label, level=v
        )
        for k, v in levels.items()
    }
    return {
        "sites": name,
        "fitted on the objects": in_sample(found, group),
        "held out": median,
        **{f"0 in {k}": bool(i.low <= 0 <= i.high) for k, i in intervals.items()},
        "p": p_median,
        "sites with p ≤ .05": (p[group] <= 0.05).mean(),
    }


def share(name: str, seed: int, permutations: int) -> dict[str, object]:
    """One seed of planted shares."""
    found = measure(SHARES[name], seed, permutations)
    imagery, truth = found.imagery, found.truth
    tuned = truth["tuned"].to_numpy(bool)
    tests = imagery.tests.frame
    tests = tests[tests["metric"].str.contains("share reactivated") & (tests["group"] == "all")]
    p = tests["p"].tolist()
    row: dict[str, object] = {"planted": name, "p permutations": p[0], "p untuned": p[1]}
    signs: dict[Sign, str] = {"raised": "reactivates", "lowered": "suppressed"}
    for sign, column in signs.items():
        share = truth[column].to_numpy(bool)[tuned].mean()
        value, low, high = imagery.estimated_share(imagery.held.tuned, sign)
        row |= {sign: value, f"{sign} inside": low <= share <= high, f"{sign} width": high - low}
    significant = imagery.sites["reactivated"].to_numpy(bool)[imagery.held.tuned]
    return row | {"significant": significant.mean()}


def summary(rows: list[dict[str, object]], by: str) -> pd.DataFrame:
    """Means over seeds, and how many seeds where a column is yes or no, or a p-value."""
    table, out = pd.DataFrame(rows), []
    for name, part in table.groupby(by, sort=False):
        line: dict[str, object] = {by: name}
        for column in map(str, part.columns.drop(by)):
            values = part[column]
            if values.dtype == bool:
                line[column] = f"{values.sum()} of {len(values)}"
            elif column.startswith("p"):
                p = values.to_numpy(float)
                sure = int((adjust(p, "holm") <= 0.05).sum())
                line[f"{column} ≤ .05 (Holm over seeds)"] = f"{(p <= 0.05).sum()} ({sure})"
            else:
                line[column] = f"{values.mean():.3f} ± {values.sem():.3f}"
        out.append(line)
    return pd.DataFrame(out)


def main() -> None:
    """Print both tables, mean ± standard error over seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--permutations", type=int, default=499)
    given = parser.parse_args()
    seeds, n = range(given.seeds), given.permutations
    pd.set_option("display.width", 250, "display.max_columns", 20, "display.max_colwidth", 60)
    print(summary([control(c, s, n) for c in CONTROLS for s in seeds], "sites").to_string())
    print(summary([share(c, s, n) for c in SHARES for s in seeds], "planted").to_string())


if __name__ == "__main__":
    main()
