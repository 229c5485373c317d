"""The networks of a leaderboard: trained, scored, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mua_decode.analyses.likelihood.command import read_options
from mua_decode.analyses.likelihood.findings import findings
from mua_decode.analyses.likelihood.likelihood import likelihood
from mua_decode.files import write_text
from mua_decode.leaderboard.plan import LeaderboardPlan
from mua_decode.runs.build import build_recording, train_on
from mua_decode.runs.config import compose
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import plain
from mua_decode.runs.progress import hushed, working
from mua_decode.runs.run import Run
from mua_decode.runs.train import Scored
from mua_decode.runs.variants import Outcome, Variant, run_variants
from mua_decode.scoring.units import NamedUnits, shared_units
from mua_decode.types import InputError, ResultTable


@dataclass(frozen=True, eq=False)
class Entry:
    """One network, trained and scored.

    Parameters
    ----------
    table
        Its scores, of the floors too if it is the first method.
    seconds
        That its training took, without scoring.
    parameters
        Of the network.
    units
        What conditions share that a metric depends on, by metric.
    metrics
        Flat numbers of its ``metrics.json``.
    """

    question: str
    method: str
    seed: int
    table: ResultTable
    seconds: float
    parameters: int
    units: Mapping[str, NamedUnits]
    metrics: Mapping[str, Any]


def train_entries(plan: LeaderboardPlan, dataset: str, folder: Path) -> Outcome[Entry]:
    """Train every method from every seed on a dataset, in folders of ``folder``.

    Raises InputError if an option cannot be used, or nothing could be trained.
    """
    sources: dict[str, Run] = {}
    variants: dict[str, tuple[Variant, str, str]] = {}
    first: Run | None = None
    for question, train in plan.questions(dataset).items():
        for method, of in plan.method.items():
            own = plan.dataset[dataset].methods.get(method, ())
            base = _base(plan, [*train, *of.overrides, *own], folder)
            first = base if first is None else first
            if plain(base.cfg.recording) != plain(first.cfg.recording):
                raise InputError(f"method.{method}: its options would change the recording itself")
            base.recording = first.recording
            floors = () if method == next(iter(plan.method)) else ("floor=[]",)
            for seed in range(plan.seed, plan.seed + plan.n_seeds):
                name = f"{question}_{method}_seed_{seed}"
                changes = (f"seed={seed}", f"data.seed={seed}", *floors)
                sources[name], variants[name] = base, (Variant(name, changes), question, method)

    def entry(variant: Variant, scored: Scored) -> Entry:
        run, (_, question, method) = scored.run, variants[variant.name]
        return Entry(
            question=question,
            method=method,
            seed=run.seed,
            table=scored.counted,
            seconds=float(pd.read_csv(run.folder.log)["seconds"].sum()),
            parameters=sum(p.numel() for p in run.network.parameters()),
            units=shared_units(run.data, scored.table.frame["metric"].unique().tolist()),
            metrics=scored.metrics,
        )

    trained = [v for v, _, _ in variants.values()]
    return run_variants(sources, trained, folder, entry, what=f"{dataset} network")


def _base(plan: LeaderboardPlan, options: list[str], folder: Path) -> Run:
    """The run that the seeds of a method vary."""
    composed = compose("train", options)
    composed.trusted = list(plan.trusted)
    run = Run(RunFolder(folder), composed)
    run = run.score_as({"metric": plan.metric, "floor": plan.floor})
    train_on(run.cfg, plan.device)
    return run


def through_encoder(plan: LeaderboardPlan, dataset: str, folder: Path) -> pd.DataFrame:
    """Identify what was never shown through a model of each site, in ``folder``.

    Returns
    -------
    DataFrame
        ``curve.csv`` of ``mua-decode likelihood``. A folder that has it for the very same options
        and recording is left as it is.
    """
    options = plan.dataset[dataset].likelihood
    assert options is not None
    asked = compose("likelihood", [*options, f"seed={plan.seed}"])
    asked.trusted = list(plan.trusted)
    question, space = read_options(asked)
    recording = build_recording(asked)
    digest = Fingerprint.of(asked, recording.checksum).digest
    known = folder / "fingerprint.txt"
    if not known.is_file() or known.read_text(encoding="utf-8") != digest:
        place = RunFolder.create(str(folder), "likelihood", option="out")
        with working(f"{dataset}: through a model of each site"), hushed():
            findings(likelihood(recording, question, space)).write(place.path)
        write_text(known, digest)
    return pd.read_csv(folder / "curve.csv")
