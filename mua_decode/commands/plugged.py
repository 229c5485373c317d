"""The question of a plugin, asked of a run."""

from __future__ import annotations

from typing import Any

import pandas as pd
from omegaconf import DictConfig

from mua_decode.files import write_text
from mua_decode.runs.findings import Findings
from mua_decode.runs.plan import plain
from mua_decode.runs.plugins import ANALYSIS, Plugin
from mua_decode.runs.progress import console
from mua_decode.runs.run import open_run
from mua_decode.types import InputError


def ask(plugin: Plugin, cfg: DictConfig) -> Any:
    """Open the run and call the question with it, a folder, and its own options.

    Findings that it returns are written and shown as those of every other question, a table as
    ``NAME.csv`` in the folder.
    """
    own = {k: v for k, v in plain(cfg).items() if k not in ANALYSIS}
    question = plugin.load()
    source = open_run(cfg)
    folder = source.out(cfg.out_dir, plugin.name)
    try:
        found = question(source, folder, **own)
    except TypeError as error:
        raise InputError(f"{plugin.name} ({plugin.package}): {error}") from error
    if isinstance(found, pd.DataFrame):
        path = folder / f"{plugin.name}.csv"
        write_text(path, found.to_csv(index=False))
        console.print(f"table  {path}", highlight=False, soft_wrap=True)
    return found.publish(folder) if isinstance(found, Findings) else found
