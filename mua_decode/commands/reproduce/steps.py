"""What a reproduction does, step by step; every step writes its tables into its own folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf

from mua_decode.analysis import (
    embed,
    population_vectors,
    separation,
    session_vectors,
    similarity,
    site_trial_vectors,
)
from mua_decode.analysis.masking import MaskScorer
from mua_decode.analysis.masks import no_mask
from mua_decode.analysis.measures import measure_videos
from mua_decode.commands.ablate import ablate
from mua_decode.commands.ablate_output import write_ablation
from mua_decode.commands.build import build_data
from mua_decode.commands.compare import compare
from mua_decode.commands.config import compose, instantiate
from mua_decode.commands.crossval import crossval
from mua_decode.commands.encode import encode
from mua_decode.commands.generalise import generalise
from mua_decode.commands.held_out import HeldOutPlan
from mua_decode.commands.isolate import isolate
from mua_decode.commands.learning_curves import CurvePlan
from mua_decode.commands.progress import console
from mua_decode.commands.reproduce.canary import run_canary
from mua_decode.commands.reproduce.plan import Step, StepNotApplicableError
from mua_decode.commands.run_folder import RunFolder, write_text
from mua_decode.commands.score import competitors
from mua_decode.commands.trained import Trained, open_trained
from mua_decode.commands.variants import Variant, changed_config, hushed, run_variant
from mua_decode.data import DecodingData
from mua_decode.types import HypothesisTable, InputError, Recording, ResultTable

_OWN = (
    "protocol",
    "out",
    "steps",
    "protocols",
    "groups",
    "correction",
    "published",
    "side_by_side",
    "isolate_metrics",
    "retrained",
    "reproduce",
)


@dataclass(frozen=True, eq=False)
class Protocol:
    """One way of asking all questions: its config, its fill, its folder.

    Parameters
    ----------
    name
        ``published`` or ``rigorous``.
    cfg
        Config of ``mua-decode reproduce``.
    recording
        Read once for everything.
    folder
        Where its steps write.
    """

    name: str
    cfg: DictConfig
    recording: Recording
    folder: Path

    @cached_property
    def source(self) -> DictConfig:
        """Config of the main decoder, as ``mua-decode train`` would have it."""
        plain = {k: v for k, v in self.cfg.items() if k not in _OWN}
        base = OmegaConf.create(plain)
        base.run_dir, base.ckpt_path, base.logger = None, None, base.get("logger")
        overrides = [str(o) for o in self.cfg.protocols[self.name].overrides]
        return changed_config(base, overrides)

    @cached_property
    def retrained(self) -> DictConfig:
        """Config of networks trained beside the decoder, at their size."""
        return changed_config(self.source, [str(o) for o in self.cfg.retrained])

    @cached_property
    def data(self) -> DecodingData:
        """Split and population of the main decoder."""
        with hushed():
            return build_data(self.source, self.recording)

    @property
    def size(self) -> DictConfig:
        """Sizes of the steps."""
        found: DictConfig = self.cfg.reproduce
        return found

    @property
    def fill(self) -> str:
        """What masked sites show the network."""
        return str(self.cfg.protocols[self.name].fill)

    @property
    def run(self) -> RunFolder:
        """Folder of the main decoder."""
        return RunFolder(self.folder / "decoder" / "run")

    @property
    def reference(self) -> Path:
        """Checkpoint of the decoder at the size of the networks trained beside it."""
        if self.cfg.retrained:
            return self.folder / "reference" / "run" / "checkpoints" / "best.ckpt"
        return self.run.checkpoint("best")

    def open(self) -> Trained:
        """Open the main decoder, ready to decode."""
        return open_trained(self._ablation(), data=self.data)

    def _ablation(self, *options: str) -> DictConfig:
        metrics = ",".join(str(m) for m in self.cfg.metric)
        cfg = compose("ablate", [f"run_dir='{self.run.path}'", *options])
        cfg.metric = {m: self.cfg.metric[m] for m in metrics.split(",")}
        cfg.trusted = list(self.cfg.trusted)
        return cfg

    def ablation(self) -> DictConfig:
        """Config of ``mua-decode ablate`` for this protocol."""
        size = self.size
        cfg = self._ablation(
            f"fills=[{self.fill}]",
            f"trials_per_condition={_text(size.trials_per_condition)}",
            f"equal.repeats={size.equal_repeats}",
            f"correction={self.cfg.correction}",
            f"seed={self.cfg.seed}",
        )
        cfg.groups = self.cfg.groups
        return cfg


def steps_of(protocol: Protocol) -> list[Step]:
    """Steps of one protocol, in order; weights are seconds of the reduced size on two cores."""
    size = OmegaConf.to_container(protocol.size, resolve=True)
    main = OmegaConf.to_container(protocol.source, resolve=True)
    small = OmegaConf.to_container(protocol.retrained, resolve=True)
    assert isinstance(size, dict)
    beside = {"source": small, "size": size, "groups": protocol.cfg.groups}

    def step(
        name: str,
        what: str,
        weight: float,
        work: Callable[[Protocol, Path], None],
        settings: dict[str, Any],
        needs: tuple[str, ...] = ("decoder",),
    ) -> Step:
        return Step(
            name=name,
            protocol=protocol.name,
            what=what,
            weight=weight,
            work=partial(work, protocol),
            settings=settings,
            needs=needs,
        )

    own = {"source": main, "size": size}
    fill = {
        "fill": protocol.fill,
        "groups": protocol.cfg.groups,
        "correction": protocol.cfg.correction,
    }
    steps = [
        step("decoder", "how well is the video decoded?", 420, _decoder, own, ()),
        step("ablation", "what is lost without each region?", 500, _ablation, own | fill),
        step("encoding", "does the video predict the activity?", 130, _encoding, own),
        step("similarity", "how alike are trials?", 16, _similarity, own),
        step("latents", "what lies next to what?", 80, _latents, own),
    ]
    if protocol.cfg.retrained:
        what = "the decoder at the size of the networks below"
        steps.append(step("reference", what, 60, _reference, beside, ()))
    needs = ("reference",) if protocol.cfg.retrained else ("decoder",)
    steps += [
        step("isolate", "what does one region alone decode?", 480, _isolate, beside, needs),
        step("compare", "do simpler networks do as well?", 100, _compare, beside, needs),
        step("crossval", "does it depend on the split?", 150, _crossval, beside, ()),
    ]
    if protocol.name != "published":
        what = "conditions never trained on, and less data"
        steps.append(step("generalise", what, 300, _generalise, beside, needs))
    what = "what does this protocol find in pure noise?"
    steps.append(step("noise", what, 170, _noise, own | {"canary": True}, ()))
    return steps


def _decoder(protocol: Protocol, folder: Path) -> None:
    run_variant(
        protocol.source, Variant("run", ()), folder, recording=protocol.recording, quiet=False
    )
    _films(protocol, folder)


def _films(protocol: Protocol, folder: Path) -> None:
    """Decoded videos of every condition, averages over trials and one trial each, and measures.

    Floors and ceilings are measured on the same trials; what counts as true is the mean video of
    the part's own variants.
    """
    trained = protocol.open()
    data, task = trained.data, trained.task
    part = "test" if len(data.dataset("test")) else "val"
    scorer = MaskScorer(
        task,
        data,
        part=part,
        metrics=[],
        fill="zero",
        batch_size=data.batch_size,
        trials_per_condition=protocol.size.trials_per_condition,
        device=task.device,
    )
    average = scorer.score(no_mask(data.pool.sites)).predicted
    condition = data.dataset(part).pseudo.condition
    rows = [int(np.flatnonzero(condition == k)[0]) for k in scorer.conditions]
    batch = data.dataset(part).__getitems__(rows)
    with hushed(), torch.inference_mode():
        seen = {
            name: _bytes(predict(batch).cpu())
            for name, predict in competitors(protocol.source, task, data).items()
        }
    assert average is not None
    arrays = {
        "average": average,
        "single": seen.pop("decoder"),
        "shown": _bytes(batch.video),
        "true": _bytes(data.mean_videos(part)[scorer.conditions]),
        "condition": scorer.conditions,
    }
    with (folder / "films.npz").open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    metrics = [instantiate(m) for m in protocol.cfg.metric.values()]
    compared = {
        "decoded, trial average": arrays["average"],
        "decoded, one trial": arrays["single"],
        **{f"{name}, one trial": video for name, video in seen.items()},
        "ceiling/one true video": arrays["shown"],
    }
    measured = [
        measure_videos(
            videos,
            arrays["true"],
            conditions=scorer.conditions,
            stimuli=data.stimuli,
            metrics=metrics,
        ).assign(videos=name)
        for name, videos in compared.items()
    ]
    text = pd.concat(measured).to_csv(index=False, float_format="%.6g")
    write_text(folder / "measures.csv", text)


def _bytes(video: torch.Tensor) -> np.ndarray:
    out: np.ndarray = (video * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return out


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
    last = folder / "checkpoints" / "last.ckpt"
    overrides = [str(o) for o in protocol.size.encoding]
    options = [f"run_dir='{protocol.run.path}'", f"out_dir='{folder}'", *overrides]
    if last.is_file():
        options.append("ckpt_path=last")
    elif (folder / "config.yaml").is_file():
        (folder / "config.yaml").unlink()
    cfg = compose("encode", options)
    cfg.trusted = list(protocol.cfg.trusted)
    encode(cfg, protocol.run, recording=protocol.recording)


def _similarity(protocol: Protocol, folder: Path) -> None:
    data = protocol.data
    pairs = int(protocol.size.similarity_pairs)
    table = similarity(data, max_pairs=pairs, seed=int(protocol.cfg.seed))
    _write(folder, table)


def _latents(protocol: Protocol, folder: Path) -> None:
    trained = protocol.open()
    data, seed = trained.data, int(protocol.cfg.seed)
    shared: dict[str, Any] = {"max_points": int(protocol.size.points), "seed": seed}
    task = trained.task.cpu()
    encoder = getattr(task.model, "encode", None)
    spaces = {
        "sites": site_trial_vectors(data, protocol.recording, **shared),
        "population": population_vectors(data, **shared),
        "session": session_vectors(data, protocol.recording, **shared),
    }
    if encoder is not None:
        spaces["bottleneck"] = population_vectors(data, encode=encoder, **shared)
    results: list[ResultTable] = []
    tests: list[HypothesisTable] = []
    for name, vectors in spaces.items():
        try:
            embeddings = [embed(vectors, method=m, seed=seed) for m in ("pca", "tsne")]
        except InputError as reason:  # a session with hardly a complete trial, say
            console.print(f"left out: {reason}", highlight=False, soft_wrap=True)
            continue
        found = separation(vectors, embeddings, seed=seed)
        results.append(found.results)
        tests.append(found.tests)
        for embedding in embeddings:
            points = embedding.labels.assign(
                x=embedding.points[:, 0],
                y=embedding.points[:, 1],
                space=vectors.space,
                explained=json.dumps(embedding.explained),
            )
            path = folder / f"points_{name}_{embedding.method}.csv"
            write_text(path, points.to_csv(index=False, float_format="%.5g"))
    write_text(
        folder / "tests.csv",
        HypothesisTable.concat(tests).frame.to_csv(index=False, float_format="%.6g"),
    )
    _write(folder, ResultTable.concat(results))


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


def _text(value: object) -> str:
    return "null" if value is None else str(value)
