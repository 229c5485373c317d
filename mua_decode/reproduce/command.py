"""``mua-decode reproduce``: plan, steps, tables, report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf

from mua_decode import __version__
from mua_decode.commands.main import quiet
from mua_decode.files import write_text
from mua_decode.report.results import PaperTable, Results
from mua_decode.reproduce.plan import (
    Outcome,
    Step,
    carry_out,
    print_plan,
    seconds_taken,
)
from mua_decode.reproduce.protocol import Protocol
from mua_decode.reproduce.sections import write_report
from mua_decode.reproduce.side_by_side import cores, run_side_by_side
from mua_decode.reproduce.steps import steps_of
from mua_decode.reproduce.tables import paper_tables
from mua_decode.runs.build import build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.types import COLUMNS, InputError, nearest_name

_PROTOCOLS = ("published", "rigorous")


def run(cfg: DictConfig) -> dict[str, Any]:
    """Ask every question of the paper of a recording, as published and rigorously.

    Prints a plan, then does it step by step: decoder, ablation, encoding, similarity, latents,
    one region alone, baselines, cross-validation, generalisation, and the same on pure noise. The
    folder holds tables/ (one CSV per table, the published value beside ours), results.csv,
    report.html (one file that opens without a network) and one folder per protocol and step.
    After Ctrl-C the same command with the same out= goes on where it stopped; a step that fails
    is named at the end without losing the others.
    """
    names = _protocols(str(cfg.protocol))
    out = RunFolder.create(cfg.out, "reproduce").path
    recording = build_recording(cfg)
    protocols = [Protocol(name, cfg, recording, out / name) for name in names]
    steps = _chosen(cfg, [step for protocol in protocols for step in steps_of(protocol)])
    for protocol in protocols:  # wrong options show before anything is trained
        _ = protocol.data
    _keep_config(out, cfg)
    print_plan(steps, out)
    if _side_by_side(cfg, steps, out):
        plain = OmegaConf.to_container(cfg, resolve=True)
        assert isinstance(plain, dict)
        run_side_by_side(_one_protocol, {str(k): v for k, v in plain.items()}, steps, out)
    outcome = carry_out(steps, out)
    reasons = {**outcome.failed, **outcome.not_applicable}
    published = OmegaConf.to_container(cfg.published, resolve=True)
    assert isinstance(published, dict)
    results = Results(
        out, names, published=_text_keys(published), reasons=reasons, done=outcome.done
    )
    tables = paper_tables(results)
    _write_tables(out, tables)
    _combine(out, steps, outcome)
    report = write_report(out, results, tables, protocols, outcome)
    return _finish(out, report, outcome, tables)


def _side_by_side(cfg: DictConfig, steps: list[Step], out: Path) -> bool:
    """Whether both protocols have work left that two processes on this machine can share."""
    todo = {s.protocol for s in steps if seconds_taken(out, s) is None}
    if len(todo) < 2 or not cfg.side_by_side or cores() < 2:
        return False
    return str(cfg.trainer.accelerator) == "cpu" or not torch.cuda.is_available()


def _one_protocol(plain: Mapping[str, Any], name: str, out: Path) -> None:
    """Do the steps of one protocol, in a process of its own."""
    quiet()
    cfg = OmegaConf.create(dict(plain))
    protocol = Protocol(name, cfg, build_recording(cfg), out / name)
    carry_out(_chosen(cfg, steps_of(protocol)), out)


def _protocols(asked: str) -> list[str]:
    if asked == "both":
        return list(_PROTOCOLS)
    if asked not in _PROTOCOLS:
        known = ["both", *_PROTOCOLS]
        raise InputError(
            f"protocol={asked}: choose from {', '.join(known)}{nearest_name(asked, known)}"
        )
    return [asked]


def _chosen(cfg: DictConfig, steps: list[Step]) -> list[Step]:
    """Steps the config asks for, with those they need."""
    known = list(dict.fromkeys(s.name for s in steps))
    if cfg.steps == "all":
        return steps
    wanted = [str(cfg.steps)] if isinstance(cfg.steps, str) else [str(s) for s in cfg.steps]
    for name in wanted:
        if name not in known:
            raise InputError(
                f"steps: there is no step '{name}'{nearest_name(name, known)}; "
                f"choose from {', '.join(known)}"
            )
    needed = set(wanted) | {n for s in steps if s.name in wanted for n in s.needs}
    return [s for s in steps if s.name in needed]


def _keep_config(out: Path, cfg: DictConfig) -> None:
    path = out / "config.yaml"
    write_text(path, OmegaConf.to_yaml(cfg))


def _text_keys(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): _text_keys(v) if isinstance(v, Mapping) else v for k, v in values.items()}


def _write_tables(out: Path, tables: list[PaperTable]) -> None:
    folder = out / "tables"
    folder.mkdir(exist_ok=True)
    for table in tables:
        path = folder / f"{table.name}.csv"
        if table.frame is not None:
            write_text(path, table.frame.to_csv(index=False, float_format="%.6g"))
        else:
            write_text(path, f"# not applicable to this recording: {table.reason}\n")


def _combine(out: Path, steps: list[Step], outcome: Outcome) -> None:
    """Write ``results.csv``: the result tables of all steps, with protocol and step in front."""
    parts: list[pd.DataFrame] = []
    for step in steps:
        path = out / step.key / "results.csv"
        if step.name == "decoder":
            path = out / step.key / "run" / "results.csv"
        if step.key not in outcome.done or not path.is_file():
            continue
        frame = pd.read_csv(path)[list(COLUMNS)]
        frame.insert(0, "step", step.name)
        frame.insert(0, "protocol", step.protocol)
        parts.append(frame)
    if parts:
        table = pd.concat(parts, ignore_index=True)
        write_text(out / "results.csv", table.to_csv(index=False, float_format="%.6g"))


def _finish(out: Path, report: Path, outcome: Outcome, tables: list[PaperTable]) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "version": __version__,
        "minutes": round(sum(outcome.done.values()) / 60, 2),
        "n_tables": sum(t.frame is not None for t in tables),
        **{f"seconds/{k}": round(v, 1) for k, v in outcome.done.items()},
        **{f"failed/{k}": v for k, v in outcome.failed.items()},
        **{f"not_applicable/{k}": v for k, v in outcome.not_applicable.items()},
        **{f"not_applicable/tables/{t.name}": t.reason for t in tables if t.frame is None},
    }
    write_text(out / "metrics.json", json.dumps(flat, indent=2) + "\n")
    console.rule()
    console.print(
        f"{len(outcome.done)} steps done in {flat['minutes']:g} min of work; "
        f"{flat['n_tables']} tables",
        highlight=False,
    )
    for kind, reasons in (
        ("not applicable", outcome.not_applicable),
        ("FAILED", outcome.failed),
    ):
        for key, reason in reasons.items():
            console.print(f"{kind}: {key}: {reason}", highlight=False, soft_wrap=True)
    console.print(f"open     {report}", highlight=False, soft_wrap=True)
    console.print(f"numbers  {out / 'results.csv'}, {out / 'tables'}", soft_wrap=True)
    return flat
