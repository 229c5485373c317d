"""A continuous film: the lag, scores by block with their null, identification, the film itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mua_decode import __version__, figures
from mua_decode.analyses.film.correlation import METRIC, block_scores
from mua_decode.analyses.film.decoded import Decoded, decode_part
from mua_decode.analyses.film.figure import film_figure
from mua_decode.analyses.film.identify import identification_curve
from mua_decode.analyses.film.lag import lag_curve
from mua_decode.analyses.film.null import against_shifts, shifts_s
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.data import shift_responses
from mua_decode.data.blocks import Stretches
from mua_decode.runs.findings import Findings, score_table
from mua_decode.runs.progress import hushed, track
from mua_decode.runs.run import Run
from mua_decode.runs.score import competitors
from mua_decode.scoring.averages import Predict
from mua_decode.types import InputError, Recording, ResultTable, Segment

_UNIT = "correlation"
_FILM_S = 10.0  # of the films written


def film(run: Run, plan: FilmPlan, folder: Path) -> Findings:
    """Score a run on a film that was cut into stretches, and draw true and decoded frames.

    Network and floors decode the test part; where blocks of time are held out, floors are also
    fitted and tested in every fold of the blocks, the network in its own alone. The null turns the
    responses round the film: floors are fitted again on them, the network decodes them as it is.

    Parameters
    ----------
    folder
        Where the films of true and decoded frames are written.

    Raises InputError if the run's films are not cut (``data.cut``).
    """
    if run.cfg.data.get("cut") is None or run.cfg.data.split.get("block_s") is None:
        raise InputError(
            "film: needs a run on a film cut into stretches and counted in blocks of time; train "
            "with data.cut.length_s and data.split.block_s (experiment=continuous has both)"
        )
    films = Stretches.of(run.data.stimuli)
    blocks = films.blocks(float(run.cfg.data.split.block_s))
    lag = lag_curve(run, plan, blocks)
    with hushed():
        found = decode_part(
            run.data, run.scored_part, _predictors(run, run), plan.trials_per_condition
        )
    curve = _curve(run, plan, found)
    least_s = float((films.stop_s - films.start_s).max())
    shifts = shifts_s(plan.shifts, duration_s=float(films.stop_s.max()), least_s=least_s)
    observed = _scores(run, plan, blocks, run.recording)
    null = pd.concat(
        [
            _scores(run, plan, blocks, shift_responses(run.recording, s)).assign(shift_s=s)
            for s in track(shifts.tolist(), "turning responses round the film", len(shifts))
        ],
        ignore_index=True,
    )
    for table in (observed, null):
        starts = {b: films.start_s[blocks == b].min() for b in np.unique(blocks)}
        table.insert(1, "start_s", table["block"].map(starts))
    _write_films(run, found, folder)
    return _findings(run, lag, curve, observed, null, _names(run, films, blocks))


def _predictors(run: Run, trained: Run | None) -> dict[str, Predict]:
    """Floors fitted on the run's training part, and the network of the one that was trained."""
    found = competitors(run)
    floors = {name: p for name, p in found.items() if name.startswith("floor/")}
    if trained is None:
        return floors
    return {"decoder": _network(trained), **floors}


def _network(run: Run) -> Predict:
    return lambda batch: run.decode(batch.spikes)


def _curve(run: Run, plan: FilmPlan, found: dict[str, Decoded]) -> pd.DataFrame:
    """Identification over length; shorter stretches than the run's are cut anew, for floors."""
    bin_s = run.data.pool.bin_s
    own_s = bin_s * run.data.n_bins
    longer = [s for s in plan.lengths_s if s >= own_s - 1e-6]
    tables = []
    with hushed():
        for seconds in sorted(set(plan.lengths_s) - set(longer)):
            shorter = run.changed([f"data.cut.length_s={seconds}", "data.cut.step_s=null"])
            floors = _predictors(shorter, None)
            part = decode_part(shorter.data, run.scored_part, floors, plan.trials_per_condition)
            films = Stretches.of(shorter.data.stimuli)
            tables.append(identification_curve(part, films, [seconds], bin_s=bin_s))
    films = Stretches.of(run.data.stimuli)
    tables.append(identification_curve(found, films, longer, bin_s=bin_s))
    return pd.concat([t for t in tables if len(t)], ignore_index=True)


def _runs(run: Run, plan: FilmPlan, blocks: np.ndarray, recording: Recording) -> Iterator[Run]:
    """The run on a recording, and with every fold of the blocks held out where blocks are."""
    yield Run(run.folder, run.cfg, recording=recording)
    if run.cfg.data.split.unit != "block":
        return
    n = len(np.unique(blocks)) if plan.folds is None else plan.folds
    for fold in range(n):
        folded = Run(run.folder, run.cfg, recording=recording)
        yield folded.changed([f"data.split.n_folds={n}", f"data.split.fold={fold}"])


def _scores(run: Run, plan: FilmPlan, blocks: np.ndarray, recording: Recording) -> pd.DataFrame:
    """Scores of every decoder in every block that it was tested on."""
    tables = []
    folded = run.cfg.data.split.unit == "block"
    with hushed():
        for number, one in enumerate(_runs(run, plan, blocks, recording)):
            if number == 0 and folded:  # floors are tested in the folds, every block once
                predictors = {"decoder": _network(run)}
            else:
                predictors = _predictors(one, run if number == 0 else None)
            part = one.scored_part
            found = decode_part(one.data, part, predictors, plan.trials_per_condition)
            tables.append(block_scores(found, blocks))
    return pd.concat(tables, ignore_index=True)


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
    best = lag.loc[lag["time_correlation"].idxmax()]
    tests = against_shifts(observed, null, names)
    rows = _rows(observed, names, part)
    means = ResultTable.from_rows(rows).frame
    whole = means[means["condition"] == "all"]
    metrics = {
        "leaking": run.leaks.flag,
        "audit": data.audit.line,
        "seed": run.seed,
        "version": __version__,
        **run.origin,
        "split_unit": str(data.plan.unit),
        "lag_s": float(run.cfg.data.lag_s),
        "best_lag_s": float(best["lag_s"]),
        "best_lag/time_correlation": float(best["time_correlation"]),
        "shifts": int(null["shift_s"].nunique()),
        **_numbers(whole, curve),
    }
    single = observed[(observed["trial"] == "single_trial") & (observed["metric"] == METRIC)]
    ring = null[(null["trial"] == "single_trial") & (null["metric"] == METRIC)]
    drawn = film_figure(
        lag,
        single,
        ring,
        curve[curve["trial"] == "single_trial"],
        title=f"Continuous film, {data.plan.unit.replace('_', ' ')}s held out{data.leaks.stamp}",
    )
    shown = whole[whole["metric"] == METRIC]
    identified = curve.rename(columns={"length_s": "metric"})
    identified = identified[identified["trial"] == "single_trial"]
    lengths = [f"{s:g} s" for s in dict.fromkeys(identified["metric"])]
    identified = identified.assign(metric=[f"{s:g} s" for s in identified["metric"]])
    return Findings(
        results=ResultTable.from_rows(rows),
        metrics=metrics,
        tests=tests,
        tables={"lag": lag, "lengths": curve, "blocks": observed, "shifts": null},
        figures={"film": drawn},
        screen=[
            score_table(shown, title="mean over blocks", names=["run", "trial"], metrics=[METRIC]),
            score_table(
                identified, title="identified, single trials", names=["run"], metrics=lengths
            ),
            f"best lag {best['lag_s']:g} s (r over time {best['time_correlation']:.3f}, training "
            f"blocks), the run has {run.cfg.data.lag_s:g} s; {data.audit.line}",
        ],
    )


def _numbers(whole: pd.DataFrame, curve: pd.DataFrame) -> dict[str, Any]:
    """Mean over blocks, and identification at every length, as flat numbers."""
    found: dict[str, Any] = {}
    for row in whole.to_dict("records"):
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
            {**labels, "condition": names[r.block], "value": r.value, "n": r.n, "n_unit": "trials"}
            for r in own.itertuples()
        ]
    return rows


def _write_films(run: Run, found: dict[str, Decoded], folder: Path) -> None:
    """The first seconds of the test part, true beside decoded: a single trial, the average.

    Of the network and of ridge, which knows no stretch of the film by heart.
    """
    (folder / "figures").mkdir(exist_ok=True)
    stimuli = run.data.stimuli
    most = max(1, int(_FILM_S / (stimuli.n_frames * stimuli.frame_s) + 1e-6))
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
        figures.write_video(
            folder / "figures" / f"film_{name.rsplit('/', 1)[-1]}.gif",
            np.stack([true, true]),
            pair,
            names=["single trial", f"average of {len(decoded.trials)} trials"],
            segments=segments,
            frame_s=stimuli.frame_s,
            least_px=96,
        )


def _along(videos: Any) -> np.ndarray:
    """Stretches (Q, C, T, H, W) one after the other: (C, Q * T, H, W)."""
    return np.concatenate(list(videos.numpy()), axis=1)
