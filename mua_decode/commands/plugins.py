"""``mua-decode plugins``."""

from __future__ import annotations

from omegaconf import DictConfig

from mua_decode.runs.plugins import GROUPS
from mua_decode.runs.progress import Screen
from mua_decode.runs.shell import list_plugins
from mua_decode.types import InputError, nearest_name


def run(cfg: DictConfig) -> None:
    """List what installed packages have registered, with the package of each, and what is broken.

    A package registers by entry points of the groups mua_decode.recordings, .models, .losses,
    .metrics and .analyses; docs/extend.md says what each is given and when it is called.
    """
    if cfg.kind not in (None, *GROUPS):
        near = nearest_name(str(cfg.kind), GROUPS)
        raise InputError(f"kind={cfg.kind}: choose from {', '.join(GROUPS)}{near}")
    out = Screen()
    for line in list_plugins(cfg.kind):
        out.print(line, highlight=False, soft_wrap=True)
