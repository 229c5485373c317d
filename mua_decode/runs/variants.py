"""Runs retrained with something changed, each in a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from mua_decode.runs.config import groups, load_option
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.overall import Overall
from mua_decode.runs.progress import console
from mua_decode.runs.train import train_and_score
from mua_decode.types import InputError, Recording, ResultTable, nearest_name

# Where a run lies and how it was started says nothing of what it computed.
_PLACE = ("run_dir", "ckpt_path", "name")
_SCORING = ("metric", "floor")


@dataclass(frozen=True)
class Variant:
    """A run retrained with something changed.

    Parameters
    ----------
    name
        Name of its folder, e.g. ``fold_2`` or ``only_MT``.
    overrides
        Changes of the source run's config: ``data.regions=[MT]``; ``model=mlp_decoder`` or
        ``metric=[mse,ssim]`` put the named configs of a group in the place of what was there.
    """

    name: str
    overrides: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class VariantResults:
    """What came of a list of variants.

    Parameters
    ----------
    tables
        Scores of every variant that finished, by name, in the order asked for.
    failures
        Why the others did not, one line each, by name.
    """

    tables: dict[str, ResultTable]
    failures: dict[str, str]


def changed_config(source: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return a resolved copy of a run's config with options changed; see :class:`Variant`.

    Raises
    ------
    InputError
        If an override cannot be applied, naming it.
    """
    cfg = OmegaConf.create(OmegaConf.to_container(source, resolve=True))
    assert isinstance(cfg, DictConfig)
    for override in overrides:
        name, equals, value = override.lstrip("+").partition("=")
        top = name.split(".")[0]
        if not equals:
            raise InputError(f"overrides: '{override}' is not written name=value")
        if top not in cfg and top not in groups():
            known = [str(key) for key in cfg]
            raise InputError(
                f"overrides: '{top}' is not an option of the run{nearest_name(top, known)}"
            )
        try:
            if name in groups():
                chosen = OmegaConf.create(f"chosen: {value}").chosen
                cfg[name] = load_option(name, chosen)
            else:
                cfg.merge_with_dotlist([f"{name}={value}"])
        except InputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(f"overrides: {override}: {reason}") from error
    OmegaConf.resolve(cfg)
    return cfg


def run_variant(
    source: DictConfig,
    variant: Variant,
    folder: Path,
    *,
    recording: Recording,
    quiet: bool = True,
    draw: bool = True,
    watch: pl.Callback | None = None,
) -> ResultTable:
    """Train and score a variant in ``folder/variant.name`` as ``mua-decode train`` would.

    A folder that holds a finished run of the very same config is left as it is, one that differs
    in its metrics or floors alone is scored again, and an interrupted one goes on from its last
    checkpoint.

    Parameters
    ----------
    source
        The resolved config of the run that is varied.
    recording
        Already read; the data are built from it, so ``recording`` cannot be overridden.
    quiet
        Print nothing.
    draw
        Whether to draw the figures of the run.
    watch
        Callback that shows the progress of the training.

    Returns
    -------
    ResultTable
        The scores of the variant as its ``results.csv`` has them.

    Raises
    ------
    InputError
        If the folder holds a run of another config, naming the first option that differs, or an
        option cannot be used.
    """
    for override in variant.overrides:
        if override.lstrip("+").split("=")[0].split(".")[0] == "recording":
            raise InputError(f"{variant.name}: '{override}' would change the recording itself")
    run = RunFolder.create(str(folder / variant.name), variant.name)
    cfg = changed_config(source, variant.overrides)
    cfg.name, cfg.run_dir, cfg.ckpt_path = variant.name, str(run.path), None
    if run.config.is_file():
        difference = first_difference(run, cfg, but=_SCORING)
        if difference is not None:
            raise InputError(
                f"{run.path} holds a run of another config: {difference}; remove the folder or "
                "choose another out_dir"
            )
        scored = run.metrics.is_file() and run.results.is_file()
        if scored and first_difference(run, cfg) is None:
            return run.load_results()
    last = run.checkpoints / "last.ckpt"
    with hushed() if quiet else contextlib.nullcontext():
        _, table = train_and_score(
            cfg,
            recording,
            run,
            ckpt_path=last if run.config.is_file() and last.is_file() else None,
            watch=watch or (pl.Callback() if quiet else None),
            draw=draw,
        )
    return table


def run_variants(
    source: DictConfig,
    variants: Sequence[Variant],
    folder: Path,
    *,
    recording: Recording,
    what: str = "variant",
    draw: bool = False,
) -> VariantResults:
    """Train and score variants one after the other, with one line of progress for all.

    A variant that fails is named at the end, and the others are kept. After Ctrl-C the same call
    goes on where it stopped.

    Parameters
    ----------
    what
        What a variant is called on the line of progress: ``fold 2 of 5, about 3 min left``.

    Raises
    ------
    InputError
        If no variant finished.
    """
    names = [v.name for v in variants]
    if len(set(names)) != len(names):
        raise InputError(f"{what}: names repeat: {', '.join(names)}")
    tables: dict[str, ResultTable] = {}
    failures: dict[str, str] = {}
    with Overall(what, len(variants)) as overall:
        for variant in variants:
            overall.begin(variant.name)
            try:
                tables[variant.name] = run_variant(
                    source, variant, folder, recording=recording, draw=draw, watch=overall
                )
            except Exception as error:
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                failures[variant.name] = reason
            overall.end()
    for name, reason in failures.items():
        console.print(f"{what} {name} failed: {reason}", highlight=False, soft_wrap=True)
    if not tables:
        name, reason = next(iter(failures.items()), ("", "there is none"))
        raise InputError(f"no {what} could be trained; {name}: {reason}")
    return VariantResults(tables, failures)


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep the console silent."""
    before = console.quiet
    console.quiet = True
    try:
        yield
    finally:
        console.quiet = before


def first_difference(run: RunFolder, cfg: DictConfig, *, but: Sequence[str] = ()) -> str | None:
    """Say in which option the config in a run's folder differs from another, or None.

    Where a run lies and the top-level options in ``but`` are not compared.
    """
    there, here = flat_config(run.load_config()), flat_config(cfg)
    for name in dict.fromkeys([*here, *there]):
        if name.split(".")[0] not in (*_PLACE, *but) and there.get(name) != here.get(name):
            found, wanted = (c.get(name, "not set") for c in (there, here))
            return f"{name} is {found} there and {wanted} here"
    return None


def flat_config(cfg: Any, prefix: str = "") -> dict[str, Any]:
    """Options by dotted name; lists are values."""
    found: dict[str, Any] = {}
    plain: Any = OmegaConf.to_container(cfg, resolve=True) if isinstance(cfg, DictConfig) else cfg
    for key, value in plain.items():
        if isinstance(value, dict) and value:
            found |= flat_config(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
