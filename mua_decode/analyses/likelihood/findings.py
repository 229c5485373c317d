"""Numbers, tests and figures, and what is said where nothing is decoded."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__
from mua_decode.analyses.likelihood.figure import identification_curve
from mua_decode.analyses.likelihood.identify import above_chance, curve
from mua_decode.analyses.likelihood.likelihood import LikelihoodResults
from mua_decode.figures.image_gallery import image_gallery
from mua_decode.runs.drawn import Drawing
from mua_decode.runs.findings import Findings
from mua_decode.statistics import Units, correct, unit_t
from mua_decode.types import HypothesisTable, Question, ResultTable, Stream

_DRAWN = 10  # videos of the figure
_CHANCE = "chance of a video: how often the trials of its fold name it, whatever was shown"


def findings(results: LikelihoodResults) -> Findings:
    """Gather what goes into the files of a run."""
    rng = Stream.HELD_OUT.rng(results.plan.seed)
    found = curve(results.trials, results.plan.candidates, groups=results.groups.name, rng=rng)
    tests = identification_tests(results.trials, results.groups.name)
    said = _said(found, results.responses.of)
    flat = _flat(results, found, tests) | {"said": said}
    drawn: dict[str, Drawing] = {
        "identification": partial(identification_curve, found, of=results.responses.of)
    }
    if results.made:
        middle = {n: v[:_DRAWN, v.shape[1] // 2] for n, v in results.made.items()}
        title = f"Never shown, {results.responses.of}; the frame in the middle"
        drawn["videos"] = partial(image_gallery, middle, title=title)
    return Findings(
        results=_result_table(found, results),
        metrics=flat,
        tests=tests,
        tables={
            "curve": found, "trials": results.trials, "sites": results.sites,
            "videos": results.videos,
        },
        figures=drawn,
        screen=[_screen(found, results.responses.of), said],
    )  # fmt: skip


def identification_tests(trials: pd.DataFrame, groups: str) -> HypothesisTable:
    """Identification by likelihood among all of a fold, against chance and the other methods.

    ``trials`` as in :func:`above_chance`, of all methods; ``groups`` are what leaves together.
    """
    own = {str(m): part.reset_index(drop=True) for m, part in trials.groupby("method", sort=False)}
    score = {m: above_chance(p) for m, p in own.items()}
    units = Units(groups, own["likelihood"]["group"].to_numpy().astype(str)[:, None])
    others = {"chance": 0.0} | {m: v for m, v in score.items() if m != "likelihood"}
    tests = []
    for name, other in others.items():
        asked: Question = {
            "question": "does likelihood identify what was never shown better?",
            "group": f"likelihood less {name}",
            "metric": "identification",
        }
        found = unit_t(score["likelihood"] - other, units, **asked).frame
        tests.append(HypothesisTable(found.assign(note=[_with(_CHANCE, n) for n in found["note"]])))
    return correct(HypothesisTable.concat(tests), method="holm")


def _with(*notes: str) -> str:
    return "; ".join(n for n in notes if n)


def _said(found: pd.DataFrame, of: str) -> str:
    """One line: whether anything of videos never shown is decoded."""
    rows = found[found["method"] == "likelihood"]
    row = rows.iloc[-1]
    among = f"among {row['candidates']}: {row['accuracy']:.3f} of {of}"
    bounds = f"95 % interval {row['low']:.3f} to {row['high']:.3f}, chance {row['chance']:.3g}"
    if math.isnan(row["low"]):
        return f"whether what was never shown is decoded cannot be told; {among} (no interval)"
    decoded = row["low"] > row["chance"]
    what = "is identified" if decoded else "cannot be decoded: NOTHING stands out of chance"
    return f"what was never shown {what}; {among} ({bounds}, over {row['n']} {row['n_unit']})"


def _flat(
    results: LikelihoodResults, found: pd.DataFrame, tests: HypothesisTable
) -> dict[str, Any]:
    r = results.sites["r"]
    flat: dict[str, Any] = {
        "version": __version__,
        "seed": results.plan.seed,
        "recording": results.recording.name,
        "leaking": False,
        "n_sites": len(r),
        "n_conditions": len(results.responses.condition),
        "n_groups": results.groups.number,
        "groups": results.groups.name,
        "n_folds": len(results.folds),
        "n_train_conditions": len(results.folds[0].train),
        "n_test_conditions": len(results.folds[0].test),
        "sites/mean_heldout_correlation": _plain(r.mean()),
        "sites/median_heldout_correlation": _plain(r.median()),
    }
    for row in found.to_dict("records"):
        name = f"identification/{row['method'].replace(' ', '_')}/among_{row['candidates']}"
        flat |= {name: _plain(row["accuracy"])}
        flat |= {f"{name}_{end}": _plain(row[end]) for end in ("low", "high")}
    for row in tests.frame.to_dict("records"):
        name = row["group"].removeprefix("likelihood less ").replace(" ", "_")
        flat[f"likelihood_less_{name}/p_corrected"] = _plain(row["p_corrected"])
    for method, part in results.videos.groupby("method") if len(results.videos) else ():
        name = f"videos/{str(method).replace(' ', '_')}"
        for score in ("pixel_correlation", "feature_correlation", "mse"):
            flat[f"{name}/{score}"] = _plain(part[score].mean())
    return flat


def _plain(value: float) -> float | None:
    return float(f"{value:.9g}") if math.isfinite(value) else None


def _result_table(found: pd.DataFrame, results: LikelihoodResults) -> ResultTable:
    rows: list[dict[str, object]] = []
    single = results.responses.of == "single trials"
    trial = "single_trial" if single else "trial_average"
    counted = results.trials.groupby("method").size()
    for row in found.to_dict("records"):
        rows.append(
            {
                "run": row["method"], "split": f"held out {results.groups.name}",
                "condition": "all", "trial": trial, "mask": "none", "segment": "all",
                "metric": f"identified_among_{row['candidates']}", "value": row["accuracy"],
                "unit": "share", "n": int(counted[row["method"]]),
                "n_unit": "pseudo-trials" if single else results.responses.of,
            }
        )  # fmt: skip
    return ResultTable.from_rows(rows)


def _screen(found: pd.DataFrame, of: str) -> Table:
    table = Table(title=f"Never shown: {of} identified", box=SIMPLE_HEAD)
    numbers = sorted(found["candidates"].unique())
    table.add_column("among")
    for n in numbers:
        table.add_column(str(n), justify="right")
    for method, part in found.groupby("method", sort=False):
        table.add_row(
            str(method), *(f"{v:.3f}" for v in part.sort_values("candidates")["accuracy"])
        )
    table.add_row("chance", *(f"{1 / n:.3g}" for n in numbers))
    return table
