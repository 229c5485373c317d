"""``mua-decode film``."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mua_decode.analyses.film.film import film
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.runs.plan import read_plan
from mua_decode.runs.run import open_run


def run(cfg: DictConfig) -> dict[str, Any]:
    """Score a run on a continuous film: lag, blocks of time, null, identification, films.

    The lag between spikes and frames is found by cross-validation on blocks of the training part.
    Scores are Pearson's r of pixels over the time of every block, single trials first, against
    circular shifts of the responses. Where blocks are held out, floors are tested on all of them.
    FOLDER/film holds results.csv, tests.csv, metrics.json, lag.csv, lengths.csv, blocks.csv,
    shifts.csv and figures/ with a film of true and decoded frames for every decoder.
    """
    source = open_run(cfg).score_as(cfg)
    folder = source.out(cfg.out_dir, "film")
    return film(source, read_plan(FilmPlan, cfg), folder).publish(folder)
