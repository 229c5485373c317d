"""The line of ``mua-decode train`` that gives a config back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mua_decode.runs.config import changed_config, compose, groups
from mua_decode.runs.fingerprint import flat_config
from mua_decode.runs.plan import plain

_PLACE = ("name", "run_dir", "ckpt_path", "watch", "figures")
_NOTHING = object()


def train_line(config: Any) -> list[str]:
    """Options of ``mua-decode train`` that give the config of a run, where it lies excepted."""
    chosen: list[str] = []
    wanted = plain(config)
    # Options refer to the seed; what is equal but for it is not to be told apart.
    default = plain(compose("train", [f"seed={wanted['seed']}"]))
    for group, options in groups().items():
        if group not in wanted or group not in default:
            continue
        here, usual = wanted[group] or {}, default[group] or {}
        if group in ("metric", "floor", "callbacks"):
            if list(here) != list(usual):
                chosen.append(f"{group}=[{','.join(here)}]")
            continue
        if group == "logger" and here and "_target_" not in here:
            chosen.append(f"{group}=[{','.join(here)}]")  # several side by side
            continue
        found = {o: changed_config(config, [f"{group}={o}"])[group] for o in options} | {"": usual}
        differing = {o: _differing(flat_config(here), flat_config(f)) for o, f in found.items()}
        nearest = min(differing, key=lambda o: (differing[o], o))
        if nearest:
            chosen.append(f"{group}={nearest}")
    base, there = flat_config(compose("train", chosen)), flat_config(wanted)
    for name in [n for n in base if n not in there and n.split(".")[0] not in _PLACE]:
        if not any(other.startswith(f"{name}.") for other in there):
            chosen.append(f"~{name}")
    for name, value in there.items():
        if name.split(".")[0] in _PLACE or base.get(name, _NOTHING) == value:
            continue
        chosen.append(f"{'' if name in base else '++'}{name}={_written(value)}")
    return chosen


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> int:
    return sum(wanted.get(n, _NOTHING) != found.get(n, _NOTHING) for n in {*wanted, *found})


def _written(value: Any) -> str:
    """Value as Hydra's command line reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{k}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(v) for v in value) + "]"
    if isinstance(value, str) and not value.replace("_", "").replace(".", "").isalnum():
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return str(value)
