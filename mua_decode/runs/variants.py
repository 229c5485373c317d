"""Runs trained again with something changed, each in a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pytorch_lightning as pl

from mua_decode.runs.checkpoints import newest_sound
from mua_decode.runs.epochs import Overall
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console, hushed, working
from mua_decode.runs.run import Run
from mua_decode.runs.score import score
from mua_decode.runs.train import Scored, Training, train_and_score
from mua_decode.types import InputError

_SCORING = ("metric", "floor", "weights")
T = TypeVar("T")


@dataclass(frozen=True)
class Variant:
    """A run trained again with something changed.

    Parameters
    ----------
    name
        Name of its folder, e.g. ``fold_2`` or ``only_MT``.
    overrides
        Changes of the run's config; see :func:`mua_decode.runs.config.changed_config`.
    """

    name: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcome(Generic[T]):
    """What came of a list of variants.

    Parameters
    ----------
    found
        What was found of every variant that finished, by its name, in the order asked for.
    failures
        Why the others did not, one line each, by name.
    """

    found: dict[str, T]
    failures: dict[str, str]


def run_variant(
    source: Run, variant: Variant, folder: Path, *, training: Training | None = None
) -> Scored:
    """Train and score a variant in ``folder/variant.name`` as ``mua-decode train`` would.

    A folder that holds a finished run of the very same config and recording is left as it is, one
    that differs in its metrics, floors or scored epoch alone is scored again, and an interrupted
    one goes on from its last checkpoint.

    Parameters
    ----------
    source
        The run that is varied; its recording cannot be.
    training
        How it is trained; ``None``: nothing is printed or drawn. Its ``resume`` is not used.

    Raises InputError if the folder holds a run of another config or recording, naming the first
    option that differs, or an option cannot be used.
    """
    for override in variant.overrides:
        if override.lstrip("+").split("=")[0].split(".")[0] == "recording":
            raise InputError(f"{variant.name}: '{override}' would change the recording itself")
    place = RunFolder.create(str(folder / variant.name), variant.name)
    run = source.changed(variant.overrides).at(place)
    run.cfg.name, run.cfg.run_dir, run.cfg.ckpt_path = variant.name, str(place.path), None
    begun = place.config.is_file()
    if begun:
        difference = _difference(run, but=_SCORING)
        if difference is not None:
            raise InputError(
                f"{place.path} holds a run of another config: {difference}; remove the folder or "
                "choose another out_dir"
            )
        if place.metrics.is_file() and place.results.is_file() and _difference(run) is None:
            return Scored(place.load_results(), run.trained_in(place))
    quiet = training is None
    training = training or Training(watch=pl.Callback(), draw=False)
    resume = newest_sound(place.checkpoints) if begun else None
    with hushed() if quiet else contextlib.nullcontext():
        return train_and_score(run, training.going_on(resume))


def _difference(run: Run, *, but: Sequence[str] = ()) -> str | None:
    """Say in what a run differs from the one its folder holds."""
    here = Fingerprint.of(run.cfg, run.recording.checksum, but=but)
    return here.difference(run.folder.fingerprint(but=but))


def run_variants(
    source: Run | Mapping[str, Run],
    variants: Sequence[Variant],
    folder: Path,
    each: Callable[[Variant, Scored], T],
    *,
    what: str = "variant",
) -> Outcome[T]:
    """Train and score variants one after the other, with one line of progress for all.

    A variant that fails is named at the end, and the others are kept. After Ctrl-C the same call
    goes on where it stopped.

    Parameters
    ----------
    source
        The run that is varied, or that of every variant by its name.
    each
        Asked of every variant as it finishes; its data and network are let go afterwards.
    what
        What a variant is called on the line of progress: ``fold 2 of 5, about 3 min left``.

    Raises InputError if no variant finished.
    """
    names = [v.name for v in variants]
    if len(set(names)) != len(names):
        raise InputError(f"{what}: names repeat: {', '.join(names)}")
    found: dict[str, T] = {}
    failures: dict[str, str] = {}
    with Overall(what, len(variants)) as overall:
        for variant in variants:
            overall.begin(variant.name)
            scored = None
            try:
                with hushed():
                    training = Training(watch=overall, draw=False)
                    varied = source if isinstance(source, Run) else source[variant.name]
                    scored = run_variant(varied, variant, folder, training=training)
                    found[variant.name] = each(variant, scored)
            except Exception as error:
                if scored is not None and not isinstance(error, InputError):
                    raise  # it was trained: what fails is the question
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                failures[variant.name] = reason
            del scored  # its data and network are not to stay while the next one trains
            overall.end()
    for name, reason in failures.items():
        console.print(f"{what} {name} failed: {reason}", highlight=False, soft_wrap=True)
    if not found:
        name, reason = next(iter(failures.items()), ("", "there is none"))
        raise InputError(f"no {what} could be trained; {name}: {reason}")
    return Outcome(found, failures)


def score_unvaried(run: Run, folder: Path, *, given: bool = False) -> Scored:
    """Score the decoder as it is: its checkpoint, or trained in ``folder/decoder`` without one.

    With ``given``, a run whose training was changed is scored as it was given, where both are
    scored on the same trials; nothing is trained then.
    """
    if run.checkpoint is None and given and run.given is not None:
        console.print(
            "note: the decoder itself is the run as it was trained; the overrides hold for the "
            "networks trained beside it",
            soft_wrap=True,
        )
        run.given.recording = run.recording
        run = run.given
    if run.checkpoint is None:
        with working("the decoder itself"):
            return run_variant(run, Variant("decoder"), folder)
    place = RunFolder.create(str(folder / "decoder"), "decoder")
    own = run.at(place, checkpoint=run.checkpoint)
    if place.config.is_file() and place.results.is_file() and not _difference(own):
        return Scored(place.load_results(), own)
    score(own, own.scored_part, draw=False)
    place.save_config(run.cfg)
    place.save_recording(run.recording)
    return Scored(place.load_results(), own)
