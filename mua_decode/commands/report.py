"""Make the page of a run that has none, or an index of all runs of a folder."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from mua_decode.runs.films import decode_films
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.index import write_index
from mua_decode.runs.page import write_run_page
from mua_decode.runs.progress import console
from mua_decode.types import InputError


def run(cfg: DictConfig) -> Path:
    """Write report.html of what a command left in a folder, or index.html over a folder of runs.

    mua-decode report runs/own: the page of a run, or of an analysis in it (runs/own/ablation),
    made of the files that are there. Where a run kept no films, one test trial of each condition
    is decoded for the player if its recording is at hand. mua-decode report runs: pages of all
    runs in it that have none, and an index with scores, the options that differ, and thumbnails.
    """
    if not cfg.run_dir:
        raise InputError("run_dir is not set; give a run or a folder of runs: run_dir=runs")
    folder = Path(str(cfg.run_dir)).expanduser()
    trained = (folder / "config.yaml").is_file()
    if trained or (folder / "metrics.json").is_file():
        # The page of an analysis plays its own films, or those of the run it lies in.
        if cfg.films and trained and not RunFolder(folder).films.is_file():
            decode_films(folder, overrides=cfg.overrides or (), trusted=list(cfg.trusted or ()))
        asked = None if trained else folder.resolve().parent
        page = write_run_page(folder, asked)
    else:
        page = write_index(folder, pages=bool(cfg.pages))
    console.print(f"report  {page}", highlight=False, soft_wrap=True)
    return page
