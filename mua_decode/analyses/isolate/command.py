"""What can be decoded from one region alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig, ListConfig

from mua_decode import figures
from mua_decode.analyses.isolate.significance import network_tests
from mua_decode.runs.build import build_data
from mua_decode.runs.source import (
    guessed,
    headlines,
    key,
    number,
    open_source,
    print_scores,
    relabel,
    unvaried,
    write_outputs,
)
from mua_decode.runs.variants import Variant, changed_config, run_variants
from mua_decode.types import InputError, Recording, ResultTable


def run(cfg: DictConfig) -> ResultTable:
    """Train one network per region of a run, and per group of regions, on its sites alone.

    Settings, split and test trials are those of the run. Two tests per network: whether it uses
    its input at all, against Gaussian noise inputs (as published), and whether what it decodes
    fits the condition shown better than the others, against permuted conditions. Directions that
    are undefined count as guesses. FOLDER/isolate holds results.csv (column mask: which sites were
    left), tests.csv, metrics.json, figures/ and one folder per network; with equal_sites the
    folder is FOLDER/isolate_N_sites. After Ctrl-C the same command goes on where it stopped.
    """
    equal = cfg.equal_sites
    source = open_source(cfg, "isolate" if equal is None else f"isolate_{equal}_sites")
    groups = cfg.groups
    if groups is not None and not (
        isinstance(groups, ListConfig) and all(isinstance(g, ListConfig) for g in groups)
    ):
        raise InputError(f"groups: expected lists of regions such as [[V4,MT]], found {groups}")
    return isolate(
        source.cfg,
        source.folder,
        recording=source.recording,
        regions=None if cfg.regions is None else list(cfg.regions),
        groups=None if groups is None else [list(g) for g in groups],
        equal_sites=equal,
        repeats=int(cfg.repeats),
        noise_inputs=int(cfg.noise_inputs),
        permutations=int(cfg.permutations),
        checkpoint=source.checkpoint,
        correction=str(cfg.correction),
    )


def isolate(
    source: DictConfig,
    folder: Path,
    *,
    recording: Recording,
    regions: Sequence[str] | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    equal_sites: int | None = None,
    repeats: int = 3,
    noise_inputs: int = 100,
    permutations: int = 9999,
    checkpoint: Path | None = None,
    overrides: Sequence[str] = (),
    correction: str = "holm",
) -> ResultTable:
    """Train on regions alone; see :func:`run` for the files.

    Parameters
    ----------
    source
        Resolved config of a run.
    folder
        Where to write.
    regions
        Regions to train on alone; ``None``: all of the run.
    groups
        Regions to train on together.
    equal_sites
        Give every region or group so many sites, drawn ``repeats`` times, so that a region's size
        is not mistaken for its role; a group's are shared out evenly over its regions.
    noise_inputs
        How many Gaussian noise inputs make the published chance distribution; 0: none.
    permutations
        How often conditions are permuted; 0: not at all.
    checkpoint
        Best weights of the run; without it, or with overrides, its decoder is trained as well.
    overrides
        Changes of ``source`` for all networks.
    correction
        Over the networks of each metric and test: holm, fdr_bh or none.

    Returns
    -------
    ResultTable
        Column ``mask`` is ``none`` (all sites), ``only MT`` or ``only MT, 10 sites, draw 0``;
        ``chance/noise`` in column ``run`` is the mean score of the noise inputs.

    Raises
    ------
    InputError
        If a region is misspelt, or nothing could be trained.
    """
    source = changed_config(source, overrides)
    known = recording.sites
    wanted = [str(r) for r in source.data.regions or known.regions]
    alone = wanted if regions is None else list(regions)
    sets = [(r,) for r in alone] + [tuple(g) for g in groups or ()]
    known.in_regions([r for s in sets for r in s])
    if equal_sites is not None and (equal_sites < 1 or repeats < 1):
        raise InputError(
            f"isolate: equal_sites and repeats must be at least 1, found {equal_sites}, {repeats}"
        )
    variants: dict[str, Variant] = {}
    for regions_of in dict.fromkeys(sets):
        variants |= _variants(regions_of, equal_sites, repeats)
    own = unvaried(
        source, folder, recording=recording, checkpoint=None if overrides else checkpoint
    )
    named = list(variants.values())
    found = run_variants(source, named, folder, recording=recording, what="network")
    data = build_data(source, recording)
    scored = {
        mask: guessed(relabel(found.tables[v.name], mask=mask), source, data)
        for mask, v in variants.items()
        if v.name in found.tables
    }
    tested = network_tests(
        source, variants, folder, scored, recording=recording, noise_inputs=noise_inputs,
        permutations=permutations, correction=correction,
    )  # fmt: skip
    tests = tested.tests
    table = ResultTable.concat([guessed(own, source, data), *scored.values(), *tested.chance])
    shown = _by_set(headlines(table), equal_sites)
    metrics: dict[str, object] = {
        key(r["row"], r["run"], "single_trial", r["metric"]): number(r["value"])
        for r in shown.to_dict("records")
    }
    for row in tests.frame.to_dict("records"):
        metrics[key(row["group"], row["metric"], "p_corrected")] = number(row["p_corrected"])
    title = "One region alone" + ("" if equal_sites is None else f", {equal_sites} sites each")
    few = ("decoder", "floor/lookup", "floor/mean_video", "chance/noise")
    drawn = figures.comparison(
        shown[shown["run"].isin(few)].rename(columns={"run": "series"}),
        title=f"{title}: single trials",
        bars="± s.d. over draws of sites" if equal_sites else "",
    )
    write_outputs(
        folder,
        source,
        table,
        metrics=metrics,
        failures=found.failures,
        drawn={"regions": drawn},
        tests=tests,
    )
    mine = shown[shown["run"] == "decoder"]
    print_scores(mine, folder, title=f"{title}: single trials of the decoder", names=["row"])
    return table


def _variants(
    regions: tuple[str, ...], equal_sites: int | None, repeats: int
) -> dict[str, Variant]:
    """Variants of one set of regions by their mask."""
    joined = "+".join(regions)
    listed = ",".join(f'"{r}"' for r in regions)
    folder = f"only_{joined}".replace("/", "_").replace(" ", "_")
    only = f"data.regions=[{listed}]"
    if equal_sites is None:
        return {f"only {joined}": Variant(folder, (only, "data.sites_per_region=null"))}
    base, more = divmod(equal_sites, len(regions))
    share = ",".join(f'"{r}": {base + (i < more)}' for i, r in enumerate(regions))
    return {
        f"only {joined}, {equal_sites} sites, draw {draw}": Variant(
            f"{folder}_draw_{draw}",
            (only, f"data.sites_per_region={{{share}}}", f"data.sites_seed={draw}"),
        )
        for draw in range(repeats)
    }


def _by_set(rows: pd.DataFrame, equal_sites: int | None) -> pd.DataFrame:
    """Mean over draws of sites, with their standard deviation as a bar."""
    label = rows["mask"].where(rows["mask"] != "none", "all regions")
    rows = rows.assign(row=label.str.split(",").str[0].str.removeprefix("only "))
    keys = ["row", "run", "metric", "unit"]
    grouped = rows.groupby(keys, sort=False)["value"]
    out = grouped.agg(value="mean", sd="std").reset_index()
    if equal_sites is None:
        out["sd"] = float("nan")
    return out.assign(low=out["value"] - out["sd"], high=out["value"] + out["sd"])
