"""Other networks trained on the same trials in the same way."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from mua_decode import figures
from mua_decode.analyses.compare.plan import ComparePlan
from mua_decode.analyses.compare.statistics import paired_over_conditions
from mua_decode.data.independence import condition_groups
from mua_decode.runs.config import groups, load_option
from mua_decode.runs.drawn import Drawing
from mua_decode.runs.findings import Findings, headlines, only_decoder, score_table, stamp
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variants, score_unvaried
from mua_decode.scoring.flat import key, number
from mua_decode.scoring.units import shared_units
from mua_decode.types import InputError, ResultTable, nearest_name

CHANNELS = ("red_correlation", "green_correlation", "blue_correlation")
_TITLE = "Decoder and baselines, identical settings and trials"


def compare(source: Run, plan: ComparePlan, folder: Path) -> Findings:
    """Train baselines and compare them with the decoder, in folders of ``folder``.

    Beside the run's metrics all are scored by the pixel correlation of each colour channel, where
    the videos have colours.

    Raises InputError if there is no such model, or none could be trained.

    Returns
    -------
    Findings
        Column ``run`` of the results is ``decoder``, a model, a floor or the ceiling.
    """
    known = groups()["model"]
    for name in plan.models:
        if name not in known:
            raise InputError(f"models: there is no model '{name}'{nearest_name(name, known)}")
    source = _with_channels(source)
    own = score_unvaried(source, folder)
    variants = [Variant(name, (f"model={name}", "floor=[]")) for name in plan.models]
    outcome = run_variants(
        source, variants, folder, lambda v, s: only_decoder(s.counted, run=v.name), what="model"
    )
    decoder, beside = only_decoder(own.counted), own.counted.frame
    beside = beside[beside["run"] != "decoder"]
    table = ResultTable.concat([decoder, *outcome.found.values(), ResultTable(beside)])
    data = own.run.data
    tests = paired_over_conditions(
        table,
        reference="decoder",
        others=[*outcome.found, *(r for r in beside["run"].unique() if r.startswith("floor/"))],
        correction=plan.correction,
        groups=dict(zip(data.stimuli.names, condition_groups(data).tolist(), strict=True)),
        units=shared_units(data, table.frame["metric"].unique().tolist()),
    )
    overall = table.frame[table.frame["condition"] == "all"]
    metrics = stamp(source, outcome.failures) | {
        key(r["run"], r["trial"], r["metric"], r["segment"]): number(r["value"])
        for r in overall.to_dict("records")
    }
    for row in tests.frame.to_dict("records"):
        over = () if row["test"].startswith("paired") else ("units",)
        name = key("test", row["group"], row["metric"], *over)
        metrics[f"{name}/difference"] = number(row["effect"])
        metrics[f"{name}/p_corrected"] = number(row["p_corrected"])
    values, title = _drawn(table), "Pixel correlation of each colour channel"
    channel = values["metric"].isin(CHANNELS)
    bars = "lowest to highest condition"
    draw = partial(figures.comparison, bars=bars)
    drawn: dict[str, Drawing] = {"models": partial(draw, values[~channel], title=_TITLE)}
    if channel.any():
        drawn["channels"] = partial(draw, values[channel], title=title)
    screen = [score_table(headlines(table), title=f"{_TITLE}: single trials", names=["run"])]
    return Findings(results=table, metrics=metrics, tests=tests, figures=drawn, screen=screen)


def _with_channels(source: Run) -> Run:
    """The same run, scored by the pixel correlation of each colour channel as well."""
    if source.data.frame_shape[0] != len(CHANNELS):
        return source
    asked = source.changed([])
    asked.cfg.metric = {**(asked.cfg.get("metric") or {}), **load_option("metric", CHANNELS)}
    return asked


def _drawn(table: ResultTable) -> pd.DataFrame:
    """Mean over all and range over conditions, both averagings."""
    keys = ["run", "trial", "metric", "segment"]
    single = table.frame[table.frame["condition"] != "all"]
    ends = single.groupby(keys)["value"].agg(low="min", high="max").reset_index()
    rows = pd.concat([headlines(table, trial=t) for t in ("single_trial", "trial_average")])
    joined = rows.merge(ends, on=keys, how="left")
    return joined.rename(columns={"run": "row", "trial": "series"})
