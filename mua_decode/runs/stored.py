"""Configs that lie in a folder: read without running anything, and obeyed only so far.

What describes a result (recording, data, model, loss, task, the length of a training) is taken
from the folder of a run. What says who is told of it, where it runs and what is plugged into the
trainer is not: a folder may come from elsewhere, and those reach the network, the environment and
other processes. They are given on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mua_decode.limits import check_length, check_yaml
from mua_decode.runs.references import put_in
from mua_decode.types import InputError

# Emptied when a config is taken from a folder.
_OF_THE_COMMAND: dict[str, Any] = {"logger": {}, "launcher": {}, "storage": None, "trusted": []}
_TRAINER = {
    *("_target_", "accelerator", "devices", "num_nodes", "strategy", "precision"),
    *("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time"),
    *("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches"),
    *("val_check_interval", "check_val_every_n_epoch", "accumulate_grad_batches"),
    *("gradient_clip_val", "gradient_clip_algorithm", "deterministic", "benchmark"),
    *("inference_mode", "detect_anomaly", "sync_batchnorm", "log_every_n_steps"),
}
_STRATEGY = {
    *("_target_", "broadcast_buffers", "find_unused_parameters", "gradient_as_bucket_view"),
    "static_graph",
}
# Callbacks that only keep or average weights, or stop; those that tell somebody are left out.
_CALLBACKS = {
    "pytorch_lightning.callbacks.EMAWeightAveraging": {"decay"},
    "pytorch_lightning.callbacks.EarlyStopping": {"monitor", "patience", "min_delta", "mode"},
    "mua_decode.runs.checkpoints.EveryEpochs": {"every_n_epochs"},
}
# ${seed} refers to another option; ${oc.env:NAME} and every other resolver does something.
_REFERENCE = re.compile(r"\$\{(?!\s*[A-Za-z_]\w*(?:\.\w+)*\s*\})")


def load_stored(path: Path) -> DictConfig:
    """Read a config that lies in a folder.

    Raises InputError if it is none, refers to itself without end, leaves an option without a value
    (``???``), or names a resolver of OmegaConf such as ``${oc.env:NAME}``, which would read the
    environment.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        check_length(path.stat().st_size, path)
        text = path.read_text(encoding="utf-8")
        check_yaml(text, path)
        cfg = OmegaConf.create(text)
        options = OmegaConf.to_container(cfg, resolve=False)
        texts = list(_texts(options))
        for name, value in texts:
            if _REFERENCE.search(value):
                raise InputError(
                    f"{path}: {name} is {value[:80]!r}; refused, a stored config may refer to its "
                    "own options alone"
                )
        if any("${" in value for _, value in texts):
            cfg = OmegaConf.create(put_in(options, path))
        if lacking := sorted(OmegaConf.missing_keys(cfg)):
            raise InputError(f"{path}: {lacking[0]} is '???', which is no value; give it one")
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: is not readable YAML") from error
    if not isinstance(cfg, DictConfig):
        raise InputError(f"{path}: is not a config, it holds no options")
    return cfg


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a config, keys too, with the dotted name where it stands."""
    if isinstance(value, dict):
        for key, entry in value.items():
            inside = f"{name}.{key}" if name else str(key)
            yield inside, str(key)
            yield from _texts(entry, inside)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _texts(entry, f"{name}[{number}]")
    elif isinstance(value, str):
        yield name, value


def without_command_line(cfg: DictConfig) -> tuple[DictConfig, list[str]]:
    """Return a config taken from a folder less what the command line alone may say.

    Returns
    -------
    A copy in which logger, launcher, storage and trusted packages are empty, the trainer keeps
    only plain options and of the callbacks those that keep, average or stop; and the names of those
    that were left out.
    """
    kept, left_out = cfg.copy(), []
    for name, empty in _OF_THE_COMMAND.items():
        if name in kept:
            if kept[name]:
                left_out.append(name)
            kept[name] = empty
    callbacks = kept.get("callbacks")
    for name in list(callbacks) if isinstance(callbacks, DictConfig) else ():
        entry = callbacks[name]
        options = _CALLBACKS.get(entry.get("_target_")) if isinstance(entry, DictConfig) else None
        if options is None or any(
            k != "_target_" and (k not in options or OmegaConf.is_config(entry[k])) for k in entry
        ):
            left_out.append(f"callbacks.{name}")
            del callbacks[name]
    trainer = kept.get("trainer")
    if not isinstance(trainer, DictConfig):
        return kept, left_out
    for key in [str(k) for k in trainer]:
        value = trainer[key]
        plain = key in _TRAINER and not isinstance(value, DictConfig)
        if key == "strategy" and isinstance(value, DictConfig):
            plain = all(k in _STRATEGY and not OmegaConf.is_config(value[k]) for k in value)
        if not plain:
            left_out.append(f"trainer.{key}")
            del trainer[key]
    return kept, left_out
