"""``mua-decode sweep``."""

from __future__ import annotations

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from mua_decode.files import write_text
from mua_decode.report import Headline
from mua_decode.runs.folder import RunFolder, keep_split
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.page import write_run_page
from mua_decode.runs.plan import plain
from mua_decode.runs.progress import console
from mua_decode.runs.stored_paths import absolute
from mua_decode.runs.typed import keep_typed
from mua_decode.sweep.plan import Sweep
from mua_decode.sweep.private import without_secrets, worker_options
from mua_decode.sweep.study import SharedStudy
from mua_decode.sweep.summary import summarise
from mua_decode.sweep.watch import carry_out


def run(cfg: DictConfig) -> pd.DataFrame:
    """Train many runs with different options and find the best by its validation loss.

    What is searched is a config (conf/sweep/): options of a run with their ranges, the sampler,
    the pruner that stops bad trials early, and how many trials there are in all. Trials never see
    the test part. The same command on another machine, with the same storage, shares the trials;
    after Ctrl-C or a crash it goes on, and a trial whose worker died is run again.

    OUT_DIR holds study.db (Optuna's), trials/NNNN (a run's folder each, as mua-decode train makes
    them, without scores), trials.csv, best.yaml, figures/ and report.html.
    """
    where = str(cfg.out_dir or "") or None
    folder = RunFolder.create(where, str(cfg.name), shared=True, option="out_dir").path
    keep_split(cfg, folder / "sweep.yaml")
    sweep = Sweep.open(cfg, folder)
    launcher = instantiate(cfg.launcher, place="launcher", trusted=cfg.trusted)
    shared = SharedStudy(sweep.plan, folder)
    shared.join(sweep.fingerprint)
    # Absolute, so that jobs started elsewhere find them.
    saved = without_secrets({**plain(absolute(cfg)), "out_dir": str(folder.resolve())})
    write_text(folder / "sweep.yaml", OmegaConf.to_yaml(OmegaConf.create(saved)))
    carry_out(sweep, shared, launcher, worker_options(plain(cfg)))
    found = summarise(sweep, shared)
    write_text(folder / "best.yaml", found.comment + OmegaConf.to_yaml(found.best.cfg))
    keep_typed(folder)
    page = write_run_page(
        folder, said=[Headline(found.comment.replace("#", ""), "neutral", "best")]
    )
    console.print(f"report   {page}", highlight=False, soft_wrap=True)
    return found.table
