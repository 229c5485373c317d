"""All questions of the paper, asked step by step, and what comes of them put together."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mua_decode import __version__
from mua_decode.files import write_text
from mua_decode.report.paper import PaperTable, Results
from mua_decode.reproduce.pinned import Deviation, deviation
from mua_decode.reproduce.plan import ReproducePlan
from mua_decode.reproduce.protocol import Protocol
from mua_decode.reproduce.report import write_report
from mua_decode.reproduce.side_by_side import cores
from mua_decode.reproduce.step import Outcome, Step, carry_out, seconds_taken
from mua_decode.reproduce.steps import steps_of
from mua_decode.reproduce.tables import paper_tables, write_tables
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.runs.stored_files import stored_table
from mua_decode.types import COLUMNS, N_UNIT, InputError, nearest_name, read_table, units_named

_NOT_TRAINED = ("decoder", "ablation", "latents")  # where a decoder is given


class Reproduction:
    """One reproduction of the paper on one recording.

    Parameters
    ----------
    base
        The run that the protocols vary; its folder is that of the reproduction.

    Raises InputError if an option or a name is wrong: before anything is trained.
    """

    def __init__(self, plan: ReproducePlan, base: Run) -> None:
        self.plan, self.base, self.out = plan, base, base.folder.path
        self.protocols = [Protocol.of(plan, name, base, self.out) for name in plan.names]
        _ = self.steps

    @cached_property
    def steps(self) -> list[Step]:
        """Steps asked for, with those they need."""
        steps = [step for protocol in self.protocols for step in steps_of(protocol)]
        known = list(dict.fromkeys(s.name for s in steps))
        if self.plan.steps == "all":
            return steps
        wanted = self.plan.wanted
        for name in wanted:  # one protocol has fewer
            if name not in known:
                raise InputError(
                    f"steps: there is no step '{name}'{nearest_name(name, known)}; "
                    f"choose from {', '.join(known)}"
                )
        needed = set(wanted) | {n for s in steps if s.name in wanted for n in s.needs}
        return [s for s in steps if s.name in needed]

    @cached_property
    def deviations(self) -> dict[str, Deviation]:
        """What every step differs in from its protocol at the published size, by its key."""
        return {
            s.key: deviation(
                dict(s.fingerprint.options) | (self._trained if s.name in _NOT_TRAINED else {}),
                s.protocol,
                network=s.name != "similarity",
            )
            for s in self.steps
        }

    @property
    def _trained(self) -> dict[str, int]:
        """Epochs that a given decoder was trained for, which may be fewer than it asked for."""
        if self.plan.decoder is None:
            return {}
        log = stored_table(RunFolder(Path(self.plan.decoder).expanduser()).log)
        return {} if log is None else {"trainer.max_epochs": len(log)}

    @property
    def note(self) -> str:
        """What the networks of the first step differ in; empty: nothing."""
        return self.deviations[self.steps[0].key].short

    @property
    def side_by_side(self) -> bool:
        """Whether both protocols have work left that two processes on this machine can share."""
        todo = {s.protocol for s in self.steps if seconds_taken(self.out, s) is None}
        several = len(todo) > 1 and self.plan.side_by_side and cores() > 1
        return several and self.base.device.type == "cpu"

    def carry_out(self) -> Outcome:
        """Do every step that is not done."""
        return carry_out(self.steps, self.out)

    def publish(self) -> dict[str, Any]:
        """Do every step that is not done; write tables, report and ``metrics.json``."""
        outcome = self.carry_out()
        results = Results(
            self.out,
            self.plan.names,
            published=self.plan.published,
            reasons={**outcome.failed, **outcome.not_applicable},
            done=outcome.done,
            reduced={key: found.short for key, found in self.deviations.items()},
        )
        tables = paper_tables(results)
        write_tables(self.out, tables)
        self._combine(outcome)
        report = write_report(self.out, results, tables, self.protocols, outcome, self.deviations)
        differ = {f"training/{k}": d.full or "as published" for k, d in self.deviations.items()}
        flat = _flat(outcome, tables) | differ
        write_text(self.out / "metrics.json", json.dumps(flat, indent=2) + "\n")
        _say(outcome, flat)
        console.print(f"open     {report}", highlight=False, soft_wrap=True)
        console.print(f"numbers  {self.out / 'results.csv'}, {self.out / 'tables'}", soft_wrap=True)
        return flat

    def _combine(self, outcome: Outcome) -> None:
        """Write ``results.csv``: those of all steps, with protocol and step in front."""
        parts: list[pd.DataFrame] = []
        for step in self.steps:
            own = "run/results.csv" if step.name == "decoder" else "results.csv"
            path = self.out / step.key / own
            if step.key not in outcome.done or not path.is_file():
                continue
            frame = units_named(read_table(path))[[*COLUMNS, N_UNIT]]
            frame.insert(0, "step", step.name)
            frame.insert(0, "protocol", step.protocol)
            parts.append(frame)
        if parts:
            table = pd.concat(parts, ignore_index=True)
            write_text(self.out / "results.csv", table.to_csv(index=False, float_format="%.6g"))


def _flat(outcome: Outcome, tables: list[PaperTable]) -> dict[str, Any]:
    return {
        "version": __version__,
        "minutes": round(sum(outcome.done.values()) / 60, 2),
        "n_tables": sum(t.frame is not None for t in tables),
        **{f"seconds/{k}": round(v, 1) for k, v in outcome.done.items()},
        **{f"failed/{k}": v for k, v in outcome.failed.items()},
        **{f"not_applicable/{k}": v for k, v in outcome.not_applicable.items()},
        **{f"not_applicable/tables/{t.name}": t.reason for t in tables if t.frame is None},
    }


def _say(outcome: Outcome, flat: dict[str, Any]) -> None:
    console.rule()
    console.print(
        f"{len(outcome.done)} steps done in {flat['minutes']:g} min of work; "
        f"{flat['n_tables']} tables",
        highlight=False,
    )
    for kind, reasons in (("not applicable", outcome.not_applicable), ("FAILED", outcome.failed)):
        for key, reason in reasons.items():
            console.print(f"{kind}: {key}: {reason}", highlight=False, soft_wrap=True)
