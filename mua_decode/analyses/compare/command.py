"""Other networks trained on the same trials in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from mua_decode import figures
from mua_decode.analyses.compare.statistics import paired_over_conditions
from mua_decode.data.independence import condition_groups
from mua_decode.runs.build import build_data
from mua_decode.runs.config import groups
from mua_decode.runs.source import (
    guessed,
    headlines,
    key,
    number,
    only_decoder,
    open_source,
    print_scores,
    relabel,
    unvaried,
    write_outputs,
)
from mua_decode.runs.variants import Variant, changed_config, run_variants
from mua_decode.types import InputError, Recording, ResultTable, nearest_name


def run(cfg: DictConfig) -> ResultTable:
    """Train other models under the settings of a run, and compare them with its decoder.

    All are trained on the same split and pseudo-trials and scored on the same test trials. The
    decoder is tested against each of them, and against the floors, paired over conditions that
    share no recorded trials. Directions that are undefined count as guesses. FOLDER/compare holds
    results.csv (decoder, baselines, floors, ceiling), tests.csv, metrics.json, figures/ and one
    folder per model. After Ctrl-C the same command goes on where it stopped.
    """
    source = open_source(cfg, "compare")
    return compare(
        source.cfg,
        source.folder,
        recording=source.recording,
        models=[cfg.models] if isinstance(cfg.models, str) else list(cfg.models),
        checkpoint=source.checkpoint,
        correction=str(cfg.correction),
    )


def compare(
    source: DictConfig,
    folder: Path,
    *,
    recording: Recording,
    models: Sequence[str] = ("mlp_decoder", "shallow_cnn_decoder"),
    checkpoint: Path | None = None,
    overrides: Sequence[str] = (),
    correction: str = "holm",
) -> ResultTable:
    """Train baselines and compare them with the decoder; see :func:`run` for the files.

    Parameters
    ----------
    source
        Resolved config of a run.
    folder
        Where to write.
    models
        Options of the config group ``model``.
    checkpoint
        Best weights of the run; without it, or with overrides, its decoder is trained as well.
    overrides
        Changes of ``source`` for all models.
    correction
        Over the models and floors of each metric: holm, fdr_bh or none.

    Returns
    -------
    ResultTable
        Column ``run`` is ``decoder``, a model, a floor or the ceiling.

    Raises
    ------
    InputError
        If there is no such model, or none could be trained.
    """
    source = changed_config(source, overrides)
    known = groups()["model"]
    for name in models:
        if name not in known:
            raise InputError(f"models: there is no model '{name}'{nearest_name(name, known)}")
    own = unvaried(
        source, folder, recording=recording, checkpoint=None if overrides else checkpoint
    )
    variants = [Variant(name, (f"model={name}", "floor=[]")) for name in models]
    found = run_variants(source, variants, folder, recording=recording, what="model")
    others = [only_decoder(t, run=name) for name, t in found.tables.items()]
    decoder, beside = only_decoder(own), own.frame[own.frame["run"] != "decoder"]
    data = build_data(source, recording)
    whole = ResultTable.concat([decoder, *others, relabel(ResultTable(beside))])
    table = guessed(whole, source, data)
    tests = paired_over_conditions(
        table,
        reference="decoder",
        others=[*found.tables, *(r for r in beside["run"].unique() if r.startswith("floor/"))],
        correction=correction,
        groups=dict(zip(data.stimuli.names, condition_groups(data).tolist(), strict=True)),
    )
    overall = table.frame[table.frame["condition"] == "all"]
    metrics = {
        key(r["run"], r["trial"], r["metric"], r["segment"]): number(r["value"])
        for r in overall.to_dict("records")
    }
    for row in tests.frame.to_dict("records"):
        name = key("test", row["group"], row["metric"])
        metrics[f"{name}/difference"] = number(row["effect"])
        metrics[f"{name}/p_corrected"] = number(row["p_corrected"])
    shown = headlines(table)
    title = "Decoder and baselines, identical settings and trials"
    drawn = figures.comparison(_drawn(table), title=title, bars="lowest to highest condition")
    write_outputs(
        folder,
        source,
        table,
        metrics=metrics,
        failures=found.failures,
        drawn={"models": drawn},
        tests=tests,
    )
    print_scores(shown, folder, title=f"{title}: single trials", names=["run"])
    return table


def _drawn(table: ResultTable) -> pd.DataFrame:
    """Mean over all and range over conditions, both averagings."""
    keys = ["run", "trial", "metric", "segment"]
    single = table.frame[table.frame["condition"] != "all"]
    ends = single.groupby(keys)["value"].agg(low="min", high="max").reset_index()
    rows = pd.concat([headlines(table, trial=t) for t in ("single_trial", "trial_average")])
    joined = rows.merge(ends, on=keys, how="left")
    return joined.rename(columns={"run": "row", "trial": "series"})
