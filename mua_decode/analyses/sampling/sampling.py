"""The same question at other sampling rates: a network per step of the counting window."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mua_decode import figures
from mua_decode.analyses.sampling.plan import SamplingPlan
from mua_decode.runs.drawn import write_animation
from mua_decode.runs.findings import Findings, headlines, relabel, score_table, stamp
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.run import Run
from mua_decode.runs.train import Scored
from mua_decode.runs.variants import Variant, run_variants
from mua_decode.scoring.averages import batches_of
from mua_decode.scoring.flat import key, number
from mua_decode.types import N_UNIT, InputError, ResultTable, units_named

METRICS = ("identification", "pixel_correlation", "ssim", "mse")
"""Scores that mean the same at every rate; optical flow between frames two apart does not."""


def sampling(source: Run, plan: SamplingPlan, folder: Path) -> Findings:
    """Train and score the decoder at every step, and leave a film of each.

    A step that the recording's own bins do not allow is left out with its reason. The film shows
    the first condition of the recording, true and decoded, averaged over its test trials.

    Raises InputError if counts are taken as they were recorded, or no step is possible.

    Returns
    -------
    Findings
        ``mask`` of the results names the step (``step 20 ms``); table ``rates`` has one row per
        step, run, averaging and metric, and a row with a reason per step that was left out.
    """
    if source.cfg.data.window is None:
        raise InputError(
            "sampling: counts are taken as they were recorded (data.window=null), in one rate"
        )
    asked = f"metric=[{','.join(METRICS)}]"
    variants = {
        Variant(f"step_{_ms(s)}ms", (f"data.window.step_s={s}", *plan.overrides, asked)): s
        for s in plan.steps_s
    }
    place = RunFolder(folder)

    def scored_with_film(variant: Variant, scored: Scored) -> tuple[ResultTable, int]:
        name = f"film_{_ms(variants[variant])}ms"
        write_animation(name, partial(_film, scored.run), place)
        label = f"step {_ms(variants[variant])} ms"
        return relabel(scored.counted, mask=label), scored.run.data.n_bins

    outcome = run_variants(source, list(variants), folder, scored_with_film, what="sampling rate")
    table = ResultTable.concat([found for found, _ in outcome.found.values()])
    steps = {v.name: s for v, s in variants.items()}
    bins = {_ms(steps[name]): n for name, (_, n) in outcome.found.items()}
    left_out = {steps[name]: reason for name, reason in outcome.failures.items()}
    rows = pd.concat([headlines(table, trial=t) for t in ("single_trial", "trial_average")])
    metrics = stamp(source, outcome.failures) | {
        key(r["run"], r["trial"], r["metric"], str(r["mask"])): number(r["value"])
        for r in rows.to_dict("records")
    }
    screen = [
        score_table(headlines(table), title="Sampling rates: single trials", names=["mask", "run"])
    ]
    rates = _rates(rows, bins, left_out)
    return Findings(results=table, metrics=metrics, tables={"rates": rates}, screen=screen)


def _ms(step_s: float) -> str:
    return f"{1000 * step_s:g}"


def _rates(rows: pd.DataFrame, bins: dict[str, int], left_out: dict[float, str]) -> pd.DataFrame:
    """One row per step, run, averaging and metric; and one with a reason per step left out."""
    step = rows["mask"].str.removeprefix("step ").str.removesuffix(" ms")
    ms = step.astype(float)
    found = pd.DataFrame(
        {"step_ms": ms, "rate_hz": 1000 / ms, "n_bins": step.map(bins), "run": rows["run"],
         "trial": rows["trial"], "metric": rows["metric"], "value": rows["value"],
         "n": rows["n"], "n_unit": units_named(rows)[N_UNIT], "note": ""}
    )  # fmt: skip
    lost = pd.DataFrame(
        [
            {"step_ms": 1000 * s, "rate_hz": 1 / s, "n": 0, "note": f"left out: {reason}"}
            for s, reason in left_out.items()
        ]
    )
    return pd.concat([found, lost], ignore_index=True) if len(lost) else found


@torch.inference_mode()
def _film(run: Run, path: Path) -> None:
    """Write the first condition, true beside decoded, averages over its test trials."""
    data, part = run.data, run.scored_part
    condition = data.dataset(part).pseudo.condition
    rows = np.flatnonzero(condition == condition.min())
    decoded, shown = zip(
        *((run.decode(b.spikes).cpu(), b.video) for b in batches_of(data, part, rows)), strict=True
    )
    stimuli, bin_s = data.stimuli, data.pool.bin_s
    name = f"{stimuli.names[condition.min()]}, {1000 * bin_s:g} ms"
    timing: dict[str, Any] = {"segments": stimuli.segments, "frame_s": bin_s}
    true, found = (torch.cat(videos).float().mean(0, True).numpy() for videos in (shown, decoded))
    figures.write_video(path, true, found, names=[name], **timing)
