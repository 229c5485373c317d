"""A continuous film: the lag, scores by block with their null, identification, the film itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode import __version__, figures
from mua_decode.analyses.film.correlation import METRIC
from mua_decode.analyses.film.decoded import Decoded, decode_part
from mua_decode.analyses.film.figure import film_figure
from mua_decode.analyses.film.identify import identification_curve
from mua_decode.analyses.film.lag import Choice, LagSearch
from mua_decode.analyses.film.means import block_means, means_table
from mua_decode.analyses.film.null import against_floors, against_shifts, shifts_s, unpaired
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.analyses.film.scores import BlockScorer, floors_of, network_of
from mua_decode.data.blocks import Stretches
from mua_decode.runs.findings import Findings, score_table
from mua_decode.runs.progress import hushed, working
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.statistics import with_reach
from mua_decode.types import HypothesisTable, InputError, ResultTable, Segment

_UNIT = "correlation"


def film(run: Run, plan: FilmPlan, folder: Path) -> Findings:
    """Score a run on a film that was cut into stretches, and draw true and decoded frames.

    Network and floors decode the test part; where blocks of time are held out, floors are fitted
    and tested in every fold of the blocks, with the penalty that the fold's training blocks chose,
    and so is the network where the plan wants it. The null turns the responses round the film:
    floors are fitted again on them, the network decodes them as it is.

    Parameters
    ----------
    folder
        Where networks are trained.

    Raises InputError if the run's films are not cut (``data.cut``).
    """
    if run.cfg.data.get("cut") is None or run.cfg.data.split.get("block_s") is None:
        raise InputError(
            "film: needs a run on a film cut into stretches and counted in blocks of time; train "
            "with data.cut.length_s and data.split.block_s (experiment=continuous has both)"
        )
    blocks = Stretches.of(run.data.stimuli).blocks(float(run.cfg.data.split.block_s))
    search = LagSearch(run, plan, blocks)
    with working("lag and penalty on the training blocks"):
        lag = search.curve(run)
    trained = run if plan.lag == "run" else _trained_at(run, Choice.of(lag).lag_s, folder)
    films = Stretches.of(trained.data.stimuli)
    tuned = search.tuned(trained) if trained.data.plan.unit == "block" else trained
    with working("fitting floors and decoding the test part"), hushed():
        predictors = {"decoder": network_of(trained), **floors_of(tuned)}
        found = decode_part(
            trained.data, trained.scored_part, predictors, plan.trials_per_condition
        )
    with working("identification over length"):
        curve = _curve(tuned, plan, found)
    least_s = float((films.stop_s - films.start_s).max())
    shifts = shifts_s(plan.shifts, duration_s=float(films.stop_s.max()), least_s=least_s)
    scorer = BlockScorer.of(trained, plan, search, blocks=blocks, folder=folder)
    observed, null = scorer.observed(), scorer.shifted(shifts)
    for table in (observed, null):
        starts = {b: films.start_s[blocks == b].min() for b in np.unique(blocks)}
        table.insert(1, "start_s", table["block"].map(starts))
    made = _findings(trained, lag, curve, observed, null, _names(trained, films, blocks))
    return replace(made, animations=_films(trained, found, plan.film_s))


def _trained_at(run: Run, lag_s: float, folder: Path) -> Run:
    """The run, or trained again in ``folder`` where it has another lag."""
    if abs(lag_s - float(run.cfg.data.lag_s)) < 1e-9:
        return run
    with working(f"training the network at a lag of {lag_s:g} s"):
        variant = Variant(f"lag_{lag_s:g}", (f"data.lag_s={lag_s}",))
        return run_variant(run, variant, folder).run


def _curve(run: Run, plan: FilmPlan, found: dict[str, Decoded]) -> pd.DataFrame:
    """Identification over length; shorter stretches than the run's are cut anew, for floors."""
    bin_s = run.data.pool.bin_s
    own_s = bin_s * run.data.n_bins
    longer = [s for s in plan.lengths_s if s >= own_s - 1e-6]
    tables = []
    with hushed():
        for seconds in sorted(set(plan.lengths_s) - set(longer)):
            shorter = run.changed([f"data.cut.length_s={seconds}", "data.cut.step_s=null"])
            part = decode_part(
                shorter.data, run.scored_part, floors_of(shorter), plan.trials_per_condition
            )
            films = Stretches.of(shorter.data.stimuli)
            tables.append(identification_curve(part, films, [seconds], bin_s=bin_s))
    films = Stretches.of(run.data.stimuli)
    tables.append(identification_curve(found, films, longer, bin_s=bin_s))
    return pd.concat([t for t in tables if len(t)], ignore_index=True)


def _names(run: Run, films: Stretches, blocks: np.ndarray) -> dict[int, str]:
    """Film and seconds of every block."""
    names = run.data.stimuli.conditions["film"].astype(str).to_numpy()
    found = {}
    for b in np.unique(blocks):
        own = blocks == b
        span = f"{films.start_s[own].min():g}-{films.stop_s[own].max():g} s"
        found[int(b)] = f"{names[own][0]} {span}"
    return found


def _findings(
    run: Run,
    lag: pd.DataFrame,
    curve: pd.DataFrame,
    observed: pd.DataFrame,
    null: pd.DataFrame,
    names: dict[int, str],
) -> Findings:
    data, part = run.data, run.leaks.label(run.scored_part)
    tests, noted = with_reach(
        against_shifts(observed, null, names),
        int(null["shift_s"].nunique()),
        drawn="circular shifts",
        option="shifts",
    )
    beside = against_floors(observed)
    means, choice = block_means(observed), Choice.of(lag)
    metrics = {
        "leaking": run.leaks.flag,
        "audit": data.audit.line,
        "seed": run.seed,
        "version": __version__,
        **run.origin,
        "split_unit": str(data.plan.unit),
        "lag_s": float(run.cfg.data.lag_s),
        "best_lag_s": choice.lag_s,
        "best_lag/alpha": choice.alpha,
        "best_lag/time_correlation": choice.time_correlation,
        "best_lag/average_time_correlation": choice.average_time_correlation,
        "shifts": int(null["shift_s"].nunique()),
        **_numbers(means, curve),
    }
    identified = curve[curve["trial"] == "single_trial"]
    title = f"Continuous film, {data.plan.unit.replace('_', ' ')}s held out{data.leaks.stamp}"
    drawn = partial(film_figure, lag, _drawn(observed), _drawn(null), identified, title=title)
    lengths = [f"{s:g} s" for s in dict.fromkeys(identified["length_s"])]
    return Findings(
        results=ResultTable.from_rows(_rows(observed, names, part)),
        metrics=metrics,
        tests=HypothesisTable.concat([tests, beside]),
        tables={
            "lag": lag, "lengths": curve, "means": means, "blocks": observed, "shifts": null
        },
        figures={"film": drawn},
        screen=[
            means_table(means, tests),
            *(f"note: {line}" for line in (*noted, *unpaired(beside))),
            score_table(
                identified.assign(metric=[f"{s:g} s" for s in identified["length_s"]]),
                title="identified, single trials",
                names=["run"],
                metrics=lengths,
            ),
            _said(run, choice),
            data.audit.line,
        ],
    )  # fmt: skip


def _drawn(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[(scores["trial"] == "single_trial") & (scores["metric"] == METRIC)]


def _said(run: Run, choice: Choice) -> str:
    """What the training blocks chose, and what it was used for."""
    own_s = float(run.cfg.data.lag_s)
    said = (
        f"training blocks choose a lag of {choice.lag_s:g} s (ridge, r over time "
        f"{choice.average_time_correlation:.3f} of averages, {choice.time_correlation:.3f} of "
        f"single trials with a penalty of {choice.alpha:g}); decoded at {own_s:g} s"
    )
    return said if abs(own_s - choice.lag_s) < 1e-9 else f"{said}: lag=best takes the other"


def _numbers(means: pd.DataFrame, curve: pd.DataFrame) -> dict[str, Any]:
    """Mean over blocks, and identification at every length, as flat numbers."""
    found: dict[str, Any] = {}
    for row in means.to_dict("records"):
        found[f"{row['run']}/{row['trial']}/{row['metric']}"] = row["value"]
    for row in curve.to_dict("records"):
        found[f"{row['run']}/{row['trial']}/identification/{row['length_s']:g}s"] = row["value"]
    return found


def _rows(observed: pd.DataFrame, names: dict[int, str], part: str) -> list[dict[str, object]]:
    """Rows of every block, and of the mean over blocks, in which n is the number of blocks."""
    about = {"split": part, "mask": "none", "segment": "all", "unit": _UNIT}
    rows: list[dict[str, object]] = []
    for (run, trial, metric), own in observed.groupby(["run", "trial", "metric"], sort=False):
        labels = {**about, "run": run, "trial": trial, "metric": metric}
        mean = {"condition": "all", "value": own["value"].mean(), "n": len(own)}
        rows.append({**labels, **mean, "n_unit": "blocks of time"})
        rows += [
            {**labels, "condition": names[int(b)], "value": v, "n": int(n), "n_unit": "trials"}
            for b, v, n in own[["block", "value", "n"]].to_numpy(float).tolist()
        ]
    return rows


def _films(
    run: Run, found: dict[str, Decoded], film_s: float
) -> dict[str, Callable[[Path], object]]:
    """The first seconds of the test part, true beside decoded: a single trial, the average.

    Of the network and of ridge, which knows no stretch of the film by heart.
    """
    films: dict[str, Callable[[Path], object]] = {}
    stimuli = run.data.stimuli
    most = max(1, int(film_s / (stimuli.n_frames * stimuli.frame_s) + 1e-6))
    for name in ("decoder", "floor/ridge"):
        if name not in found:
            continue
        decoded = found[name].select(np.arange(min(most, len(found[name].conditions))))
        true = _along(decoded.true)
        pair = np.stack([_along(decoded.trials[0]), _along(decoded.average)])
        segments = [
            Segment(stimuli.names[k], i * stimuli.n_frames, (i + 1) * stimuli.n_frames)
            for i, k in enumerate(decoded.conditions)
        ]
        films[f"film_{name.rsplit('/', 1)[-1]}"] = partial(
            figures.write_video,
            true=np.stack([true, true]),
            predicted=pair,
            names=["single trial", f"average of {len(decoded.trials)} trials"],
            segments=segments,
            frame_s=stimuli.frame_s,
            least_px=96,
        )
    return films


def _along(videos: Any) -> np.ndarray:
    """Stretches (Q, C, T, H, W) one after the other: (C, Q * T, H, W)."""
    return np.concatenate(list(videos.numpy()), axis=1)
