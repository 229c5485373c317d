"""What a reproduction does, step by step; every step writes its tables into its own folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mua_decode.analyses.ablate.command import ablate
from mua_decode.analyses.ablate.findings import write_ablation
from mua_decode.analyses.compare.command import compare
from mua_decode.analyses.crossval.command import crossval
from mua_decode.analyses.encode.command import encode, encoding_config
from mua_decode.analyses.generalise.command import generalise
from mua_decode.analyses.generalise.curves import CurvePlan
from mua_decode.analyses.generalise.held_out import HeldOutPlan
from mua_decode.analyses.isolate.command import isolate
from mua_decode.analyses.latents.latents import map_latents
from mua_decode.analyses.noise.noise import run_canary
from mua_decode.analyses.reconstruct.reconstruct import decode_videos
from mua_decode.analyses.repeat.command import repeat
from mua_decode.analyses.similarity.similarity import similarity
from mua_decode.files import write_text
from mua_decode.reproduce.plan import Step, StepNotApplicableError
from mua_decode.reproduce.protocol import Protocol
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.variants import Variant, changed_config, first_difference, run_variant
from mua_decode.types import InputError, ResultTable


def steps_of(protocol: Protocol) -> list[Step]:
    """Steps of one protocol, in order; weights are seconds of the reduced size on two cores."""
    size = OmegaConf.to_container(protocol.size, resolve=True)
    main = OmegaConf.to_container(protocol.source, resolve=True)
    small = OmegaConf.to_container(protocol.retrained, resolve=True)
    assert isinstance(size, dict)
    beside = {
        "source": small,
        "groups": protocol.cfg.groups,
        "correction": protocol.cfg.correction,
    }
    alone = beside | {"metrics": protocol.cfg.isolate_metrics}

    def step(
        name: str,
        what: str,
        weight: float,
        work: Callable[[Protocol, Path], None],
        settings: dict[str, Any],
        sizes: tuple[str, ...] = (),
        needs: tuple[str, ...] = ("decoder",),
    ) -> Step:
        return Step(
            name=name,
            protocol=protocol.name,
            what=what,
            weight=weight,
            work=partial(work, protocol),
            settings=settings | {"size": {name: size[name] for name in sizes}},
            needs=needs,
        )

    own = {"source": main}
    fill = {
        "fill": protocol.fill,
        "groups": protocol.cfg.groups,
        "correction": protocol.cfg.correction,
    }
    masked = ("trials_per_condition", "equal_repeats")
    steps = [
        step("decoder", "how well is the video decoded?", 310, decode_videos, own, masked[:1], ()),
        step("ablation", "what is lost without each region?", 430, _ablation, own | fill, masked),
        step("encoding", "does the video predict the activity?", 80, _encoding, own, ("encoding",)),
        step("similarity", "how alike are trials?", 1, _similarity, own, ("similarity_pairs",)),
        step("latents", "what lies next to what?", 13, map_latents, own, ("points",)),
    ]
    if protocol.cfg.retrained:
        what = "the decoder at the size of the networks below"
        steps.append(step("reference", what, 44, _reference, beside, (), ()))
    needs = ("reference",) if protocol.cfg.retrained else ("decoder",)
    what = "what does one region alone decode?"
    steps += [
        step("isolate", what, 490, _isolate, alone, ("noise_inputs",), needs),
        step("compare", "do simpler networks do as well?", 220, _compare, beside, (), needs),
        step("crossval", "does it depend on the split?", 125, _crossval, beside, ("n_folds",), ()),
        step("repeat", "does it depend on the seed?", 120, _repeat, beside, ("n_seeds",), needs),
    ]
    if protocol.name != "published":
        what = "conditions never trained on, and less data"
        sizes = ("held_out", "curves")
        guessing = beside | {"undefined directions": "guessed"}
        steps.append(step("generalise", what, 245, _generalise, guessing, sizes, needs))
    what = "what does this protocol find in pure noise?"
    sizes = ("canary", "canary_conditions")
    steps.append(step("noise", what, 110, _noise, own, sizes, ()))
    return steps


def _reference(protocol: Protocol, folder: Path) -> None:
    run_variant(
        protocol.retrained,
        Variant("run", ("metric=[mse]", "floor=[]")),
        folder,
        recording=protocol.recording,
        draw=False,
    )


def _several_regions(protocol: Protocol) -> None:
    regions = protocol.recording.sites.regions
    if len(regions) < 2:
        raise StepNotApplicableError(f"all sites lie in one region, {regions[0]}")


def _ablation(protocol: Protocol, folder: Path) -> None:
    _several_regions(protocol)
    out = RunFolder(folder)
    trained = protocol.open()
    found = ablate(protocol.ablation(), trained, out)
    write_ablation(out, found, leaking=trained.data.leaking)


def _isolate(protocol: Protocol, folder: Path) -> None:
    _several_regions(protocol)
    metrics = ",".join(str(m) for m in protocol.cfg.isolate_metrics)
    isolate(
        changed_config(protocol.retrained, [f"metric=[{metrics}]"]),
        folder,
        recording=protocol.recording,
        checkpoint=protocol.reference,
        groups=[list(g) for g in protocol.cfg.groups] or None,
        noise_inputs=int(protocol.size.noise_inputs),
        correction=str(protocol.cfg.correction),
    )


def _encoding(protocol: Protocol, folder: Path) -> None:
    overrides = [str(o) for o in protocol.size.encoding]
    cfg = compose("encode", [f"run_dir={protocol.run.path}", f"out_dir={folder}", *overrides])
    cfg.trusted = list(protocol.cfg.trusted)
    before = RunFolder(folder)
    if before.config.is_file():
        difference = first_difference(before, encoding_config(cfg))
        if difference is not None:
            raise InputError(
                f"{folder} holds an encoding of another config: {difference}; remove the folder or "
                "choose another out"
            )
        if (before.checkpoints / "last.ckpt").is_file():
            cfg.ckpt_path = "last"
        else:
            before.config.unlink()
    encode(cfg, protocol.run, recording=protocol.recording)


def _similarity(protocol: Protocol, folder: Path) -> None:
    data = protocol.data
    pairs = int(protocol.size.similarity_pairs)
    table = similarity(data, max_pairs=pairs, seed=int(protocol.cfg.seed))
    _write(folder, table)


def _compare(protocol: Protocol, folder: Path) -> None:
    compare(
        protocol.retrained,
        folder,
        recording=protocol.recording,
        checkpoint=protocol.reference,
        correction=str(protocol.cfg.correction),
    )


def _crossval(protocol: Protocol, folder: Path) -> None:
    crossval(
        protocol.retrained,
        folder,
        recording=protocol.recording,
        n_folds=int(protocol.size.n_folds),
    )


def _repeat(protocol: Protocol, folder: Path) -> None:
    repeat(
        protocol.retrained,
        folder,
        recording=protocol.recording,
        checkpoint=protocol.reference,
        n_seeds=int(protocol.size.n_seeds),
    )


def _generalise(protocol: Protocol, folder: Path) -> None:
    size = OmegaConf.to_container(protocol.size, resolve=True)
    assert isinstance(size, dict)
    generalise(
        protocol.retrained,
        folder,
        recording=protocol.recording,
        checkpoint=protocol.reference,
        held_out=HeldOutPlan(**size["held_out"]),
        curves=CurvePlan(**size["curves"]),
    )


def _noise(protocol: Protocol, folder: Path) -> None:
    try:
        run_canary(
            protocol.source,
            folder,
            recording=protocol.recording,
            overrides=tuple(str(o) for o in protocol.size.canary),
            n_conditions=int(protocol.size.canary_conditions),
        )
    except InputError as error:
        raise InputError(f"noise surrogate: {error}") from error


def _write(folder: Path, table: ResultTable) -> None:
    write_text(folder / "results.csv", table.frame.to_csv(index=False, float_format="%.6g"))
