"""What can be decoded from one region alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.analyses.isolate.measures import frame_rows, summarise
from mua_decode.analyses.isolate.plan import IsolatePlan
from mua_decode.analyses.isolate.significance import NetworkTests, network_tests
from mua_decode.runs.findings import Findings, headlines, relabel, score_table, stamp
from mua_decode.runs.run import Run
from mua_decode.runs.train import Scored
from mua_decode.runs.variants import Variant, run_variants, score_unvaried
from mua_decode.scoring.flat import key, number
from mua_decode.statistics import correct
from mua_decode.types import HypothesisTable, ResultTable, only

_ALL = "all regions"
_DRAWN = ("decoder", "floor/lookup", "floor/mean_video", "chance/noise")


@dataclass(frozen=True)
class Alone:
    """Sites of some regions that a network is trained on.

    ``sites`` is how many of them, shared out evenly over the regions (``None``: all), and ``draw``
    which random draw of so many.
    """

    regions: tuple[str, ...]
    sites: int | None = None
    draw: int = 0

    @property
    def name(self) -> str:
        """The regions, joined by +."""
        return "+".join(self.regions)

    @property
    def mask(self) -> str:
        """Column ``mask`` of result tables."""
        drawn = "" if self.sites is None else f", {self.sites} sites, draw {self.draw}"
        return only(self.name + drawn)

    @property
    def variant(self) -> Variant:
        """The run trained on these sites."""
        folder = f"only_{self.name}".replace("/", "_").replace(" ", "_")
        listed = ",".join(f'"{r}"' for r in self.regions)
        only = f"data.regions=[{listed}]"
        if self.sites is None:
            return Variant(folder, (only,))
        base, more = divmod(self.sites, len(self.regions))
        share = ",".join(f'"{r}": {base + (i < more)}' for i, r in enumerate(self.regions))
        sites = f"data.sites_per_region={{{share}}}"
        return Variant(f"{folder}_draw_{self.draw}", (only, sites, f"data.sites_seed={self.draw}"))


def isolate(source: Run, plan: IsolatePlan, folder: Path) -> Findings:
    """Train on regions alone, in folders of ``folder``.

    Raises InputError if a region is misspelt, or nothing could be trained.

    Returns
    -------
    Findings
        Column ``mask`` of the results is ``none`` (all sites), ``only MT`` or ``only MT, 10 sites,
        draw 0``; ``chance/noise`` in column ``run`` is the mean score of the noise inputs. Tables:
        ``measures`` of every condition, and ``alone``, the colours and directions that the paper
        prints of one region.
    """
    networks = {a.variant.name: a for a in networks_of(source, plan)}
    own = score_unvaried(source, folder, given=True).counted

    def each(variant: Variant, scored: Scored) -> tuple[ResultTable, NetworkTests]:
        table = relabel(scored.counted, mask=networks[variant.name].mask)
        return table, network_tests(scored.run, table, plan)

    variants = [a.variant for a in networks.values()]
    outcome = run_variants(source, variants, folder, each, what="network")
    scored = [table for table, _ in outcome.found.values()]
    networks_tested = [tests for _, tests in outcome.found.values()]
    chance = [rows for t in networks_tested for rows in t.chance]
    every = HypothesisTable.concat([t for n in networks_tested for t in n.tests])
    tests = correct(every, method=plan.correction, within=("metric", "test"))
    table = ResultTable.concat([own, *scored, *chance])
    shown = _by_set(headlines(table), list(networks.values()), spread=plan.equal_sites is not None)
    metrics = stamp(source, outcome.failures) | {
        key(r["row"], r["run"], "single_trial", r["metric"]): number(r["value"])
        for r in shown.to_dict("records")
    }
    for row in tests.frame.to_dict("records"):
        fraction = row["test"].startswith("fraction")
        name, value = ("fraction", "effect") if fraction else ("p_corrected", "p_corrected")
        metrics[key(row["group"], row["metric"], name)] = number(row[value])
    measures = pd.concat([t.measures for t in networks_tested], ignore_index=True)
    equal = plan.equal_sites
    title = "One region alone" + ("" if equal is None else f", {equal} sites each")
    drawn = partial(
        figures.comparison,
        shown[shown["run"].isin(_DRAWN)].rename(columns={"run": "series"}),
        title=f"{title}: single trials",
        bars="± s.d. over draws of sites" if equal else "",
    )
    seen = partial(_pictures, source, networks, outcome.found, title)
    mine, said = shown[shown["run"] == "decoder"], f"{title}: single trials of the decoder"
    screen = [score_table(mine, title=said, names=["row"])]
    return Findings(
        results=table,
        metrics=metrics,
        tests=tests,
        tables={"measures": measures, "alone": summarise(measures, seed=source.seed)},
        figures={"regions": drawn, "seen": seen},
        screen=screen,
    )


def _pictures(
    source: Run,
    networks: Mapping[str, Alone],
    found: Mapping[str, tuple[ResultTable, NetworkTests]],
    title: str,
) -> Figure:
    """Frames of every network; of several draws of sites the first."""
    frames = {networks[n].name: t.frames for n, (_, t) in found.items() if networks[n].draw == 0}
    first = next(iter(frames.values()))
    stimuli = source.data.stimuli
    return figures.seen(
        frame_rows(frames),
        names=[stimuli.names[k] for k in first.conditions],
        times_s=[float(t * stimuli.frame_s) for t in first.times],
        title=f"{title}: averages over test trials{source.leaks.mark}",
    )


def networks_of(source: Run, plan: IsolatePlan) -> list[Alone]:
    """Regions, and groups of regions, that get a network each.

    Raises InputError if a region is not among the recording's.
    """
    sites = source.recording.sites
    wanted = plan.regions
    if wanted is None:
        wanted = tuple(source.data.sites.regions)
    sets = [*((r,) for r in wanted), *(plan.groups or ())]
    sites.in_regions([r for s in sets for r in s])
    draws = 1 if plan.equal_sites is None else plan.repeats
    return [
        Alone(regions, plan.equal_sites, draw)
        for regions in dict.fromkeys(sets)
        for draw in range(draws)
    ]


def _by_set(rows: pd.DataFrame, networks: Sequence[Alone], *, spread: bool) -> pd.DataFrame:
    """Mean over draws of sites, with their standard deviation as a bar."""
    name = {"none": _ALL} | {a.mask: a.name for a in networks}
    rows = rows.assign(row=rows["mask"].map(name))
    grouped = rows.groupby(["row", "run", "metric", "unit"], sort=False)["value"]
    out = grouped.agg(value="mean", sd="std").reset_index()
    if not spread:
        out["sd"] = float("nan")
    return out.assign(low=out["value"] - out["sd"], high=out["value"] + out["sd"])
