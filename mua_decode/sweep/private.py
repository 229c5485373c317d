"""What a worker is told by who starts it, and never by the folder of the sweep.

The folder may be shared: others can read it, and write to it. A database's password is not for
them, and what they write must not decide which packages, trackers or plugins of the trainer a
worker loads. Both go from the ``mua-decode sweep`` that starts a worker to it through its
environment, which on one machine and in SLURM its own user alone can read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mua_decode.types import InputError, masked

VARIABLE = "MUA_DECODE_SWEEP"
NAMES = ("storage", "trusted", "logger", "trainer", "callbacks")


def worker_options(options: Mapping[str, Any]) -> dict[str, str]:
    """Environment of a worker, made of the options of the sweep."""
    return {VARIABLE: json.dumps({name: options[name] for name in NAMES if name in options})}


def told() -> dict[str, Any]:
    """Options this worker was told by who started it; empty where it was started by hand.

    Raises InputError if the environment holds anything else.
    """
    text = os.environ.get(VARIABLE, "{}")
    try:
        found = json.loads(text)
        return {name: found[name] for name in NAMES if name in found}
    except (ValueError, TypeError) as error:
        raise InputError(f"${VARIABLE}: is not what a sweep tells its workers") from error


@contextmanager
def telling(environment: Mapping[str, str]) -> Iterator[None]:
    """Have variables in the environment while jobs are submitted, which take it along."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def without_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a sweep as its folder may hold them: the password of the database masked."""
    kept = dict(options)
    if kept.get("storage"):
        kept["storage"] = masked(str(kept["storage"]))
    return kept
