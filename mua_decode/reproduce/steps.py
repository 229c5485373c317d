"""What a reproduction does, step by step; every step writes its tables into its own folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from mua_decode.analyses.ablate.ablate import ablate
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.analyses.compare.compare import compare
from mua_decode.analyses.compare.plan import ComparePlan
from mua_decode.analyses.crossval.crossval import crossval
from mua_decode.analyses.crossval.plan import CrossvalPlan
from mua_decode.analyses.encode.command import encode_again
from mua_decode.analyses.generalise.generalise import generalise
from mua_decode.analyses.generalise.plan import GeneralisePlan
from mua_decode.analyses.isolate.isolate import isolate
from mua_decode.analyses.isolate.plan import IsolatePlan
from mua_decode.analyses.latents.latents import map_latents
from mua_decode.analyses.noise.noise import find_in_noise
from mua_decode.analyses.reconstruct.reconstruct import reconstruct
from mua_decode.analyses.repeat.plan import RepeatPlan
from mua_decode.analyses.repeat.repeat import repeat
from mua_decode.analyses.sampling.sampling import sampling
from mua_decode.analyses.similarity.similarity import enough_pseudo_trials, similarity
from mua_decode.files import write_text
from mua_decode.reproduce.plan import STEPS
from mua_decode.reproduce.protocol import Protocol
from mua_decode.reproduce.step import Step, StepNotApplicableError
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import Run
from mua_decode.runs.take_over import take_over
from mua_decode.runs.train import Training
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.types import InputError, units_named

Work = Callable[[Protocol, Path], None]


def steps_of(protocol: Protocol) -> list[Step]:
    """Steps of one protocol, in order; weights are seconds of the reduced size on two cores."""
    main, small, plan = protocol.source, protocol.beside, protocol.plan
    tested: dict[str, Any] = {"groups": plan.groups, "correction": plan.correction}
    fill = tested | {"fill": protocol.fill}
    alone = tested | {"metrics": plan.isolate_metrics}
    reference = ("reference",) if plan.retrained else ("decoder",)
    step = partial(_step, protocol)
    steps = [
        step("decoder", 310, _decoder, main, ("trials_per_condition",), needs=()),
        step("ablation", 430, _ablation, main, ("trials_per_condition", "equal_repeats"), fill),
        step("encoding", 80, _encoding, main, ("encoding",)),
        step("encoding_bands", 110, _encoding_bands, main, ("encoding_bands",), needs=()),
        step("similarity", 15, _similarity, main, ("similarity",)),
        step("latents", 13, _latents, main, ("points",)),
    ]
    if plan.retrained:
        steps.append(step("reference", 44, _reference, small, (), needs=()))
    steps += [
        step("isolate", 490, _isolate, small, ("noise_inputs",), alone, needs=reference),
        step("compare", 220, _compare, small, (), tested, needs=reference),
        step("sampling", 130, _sampling, small, ("sampling",), needs=()),
        step("crossval", 125, _crossval, small, ("n_folds",), needs=()),
        step("repeat", 120, _repeat, small, ("n_seeds",), needs=reference),
    ]
    if protocol.name != "published":
        sizes = ("held_out", "curves")
        steps.append(step("generalise", 245, _generalise, small, sizes, needs=reference))
    steps.append(step("noise", 110, _noise, main, ("canary", "canary_conditions"), needs=()))
    return steps


def _step(
    protocol: Protocol,
    name: str,
    weight: float,
    work: Work,
    run: Run,
    sizes: tuple[str, ...],
    settings: Mapping[str, object] | None = None,
    *,
    needs: tuple[str, ...] = ("decoder",),
) -> Step:
    """One step; its result depends on the run it works on, on some sizes and on ``settings``."""
    size = asdict(protocol.size)
    own = {**{s: size[s] for s in sizes}, **(settings or {})}
    known = run.fingerprint
    options = {**known.options, **{f"step.{k}": v for k, v in own.items()}}
    return Step(
        name=name,
        protocol=protocol.name,
        what=STEPS[name],
        weight=weight,
        work=partial(work, protocol),
        fingerprint=replace(known, options=options),
        needs=needs,
    )


def _decoder(protocol: Protocol, folder: Path) -> None:
    given = protocol.plan.decoder
    if given is None:
        run = run_variant(protocol.source, Variant("run"), folder, training=Training()).run
    else:
        run = take_over(protocol.source, RunFolder.existing(given), folder / "run")
    size = protocol.size.trials_per_condition
    reconstruct(run, folder, trials_per_condition=size, metrics=run.metrics)


def _reference(protocol: Protocol, folder: Path) -> None:
    run_variant(protocol.beside, Variant("run", ("metric=[mse]", "floor=[]")), folder)


def _several_regions(protocol: Protocol) -> None:
    regions = protocol.recording.sites.regions
    if len(regions) < 2:
        raise StepNotApplicableError(f"all sites lie in one region, {regions[0]}")


def _ablation(protocol: Protocol, folder: Path) -> None:
    _several_regions(protocol)
    run, trials = protocol.decoder, protocol.size.trials_per_condition
    cfg = compose(
        "ablate",
        [
            f"fills=[{protocol.fill}]",
            f"trials_per_condition={'null' if trials is None else trials}",
            f"equal.repeats={protocol.size.equal_repeats}",
            f"correction={protocol.plan.correction}",
            f"seed={run.seed}",
        ],
    )
    cfg.groups = [list(g) for g in protocol.plan.groups]
    ablate(run, read_plan(AblationPlan, cfg), folder).write(folder)


def _isolate(protocol: Protocol, folder: Path) -> None:
    _several_regions(protocol)
    run = protocol.reference.changed([f"metric=[{','.join(protocol.plan.isolate_metrics)}]"])
    plan = IsolatePlan(
        regions=None,
        groups=protocol.plan.groups or None,
        equal_sites=None,
        repeats=3,
        noise_inputs=protocol.size.noise_inputs,
        permutations=9999,
        correction=protocol.plan.correction,
    )
    isolate(run, plan, folder).publish(folder)


def _encoding(protocol: Protocol, folder: Path) -> None:
    encode_again(protocol.decoder, folder, protocol.size.encoding)


def _encoding_bands(protocol: Protocol, folder: Path) -> None:
    _counted_anew(protocol)
    plan = protocol.size.encoding_bands
    try:
        finer = protocol.source.changed(plan.data)
        _ = finer.data
    except InputError as error:
        raise StepNotApplicableError(str(error)) from error
    encode_again(finer, folder, plan.encoding)


def _sampling(protocol: Protocol, folder: Path) -> None:
    _counted_anew(protocol)
    sampling(protocol.beside, protocol.size.sampling, folder).publish(folder)


def _counted_anew(protocol: Protocol) -> None:
    """Refuse what needs another step of the counting window where there is no window."""
    if protocol.source.cfg.data.window is None:
        raise StepNotApplicableError("its counts are taken as they were recorded, in one step")


def _similarity(protocol: Protocol, folder: Path) -> None:
    plan = protocol.size.similarity
    run = enough_pseudo_trials(protocol.source, plan.trials)
    found = similarity(run.data, plan, seed=run.seed)
    tables = {"distributions": found.distributions, "trials": found.trials}
    for name, frame in (tables | {"results": units_named(found.table.frame)}).items():
        write_text(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.6g"))


def _latents(protocol: Protocol, folder: Path) -> None:
    map_latents(protocol.decoder, folder, max_points=protocol.size.points)


def _compare(protocol: Protocol, folder: Path) -> None:
    models = tuple(compose("compare", []).models)
    plan = ComparePlan(models=models, correction=protocol.plan.correction)
    compare(protocol.reference, plan, folder).publish(folder)


def _crossval(protocol: Protocol, folder: Path) -> None:
    plan = CrossvalPlan(n_folds=protocol.size.n_folds)
    crossval(protocol.beside, plan, folder).publish(folder)


def _repeat(protocol: Protocol, folder: Path) -> None:
    plan = RepeatPlan(n_seeds=protocol.size.n_seeds, mixed=True)
    repeat(protocol.reference, plan, folder).publish(folder)


def _generalise(protocol: Protocol, folder: Path) -> None:
    plan = GeneralisePlan(held_out=protocol.size.held_out, curves=protocol.size.curves)
    generalise(protocol.reference, plan, folder).publish(folder)


def _noise(protocol: Protocol, folder: Path) -> None:
    size = protocol.size
    try:
        find_in_noise(
            protocol.source, folder, overrides=size.canary, n_conditions=size.canary_conditions
        )
    except InputError as error:
        raise InputError(f"noise surrogate: {error}") from error
