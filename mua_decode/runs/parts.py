"""Metrics, floors and callbacks of a config, built and held to what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import DeviceStatsMonitor, LearningRateMonitor

from mua_decode.data import DecodingData
from mua_decode.metrics import Shown, VideoMetric
from mua_decode.models.floor import Floor
from mua_decode.runs.instantiate import check_targets, instantiate
from mua_decode.types import InputError

_METRIC = ("name", "unit", "higher_is_better", "segment")


def build_metrics(cfg: DictConfig) -> list[VideoMetric]:
    """Metrics that a config names.

    Raises InputError if one lacks what a metric has.
    """
    found = []
    for name, options in (cfg.get("metric") or {}).items():
        metric = _named(cfg, "metric", name, options)
        lacking = [a for a in _METRIC if not hasattr(metric, a)]
        if lacking or not callable(metric):
            what = lacking[0] if lacking else "__call__"
            raise InputError(f"metric.{name}: is no VideoMetric, it lacks {what}")
        found.append(metric)
    return found


def build_floors(cfg: DictConfig) -> dict[str, Floor]:
    """Floors that a config names, not fitted yet.

    Raises InputError if one lacks what a floor has.
    """
    found = {}
    for name, options in (cfg.get("floor") or {}).items():
        floor = _named(cfg, "floor", name, options)
        for method in ("fit", "predict"):
            if not callable(getattr(floor, method, None)):
                raise InputError(f"floor.{name}: is no Floor, it lacks {method}")
        found[str(name)] = floor
    return found


def build_callbacks(cfg: DictConfig, *, logged: bool, first: bool) -> list[pl.Callback]:
    """Callbacks of the training that a config names beside ours.

    Parameters
    ----------
    logged
        Whether there is a tracker.
    first
        Whether this is the process that has it; the others do without callbacks that only log.

    Raises InputError if one is no callback, or logs where there is no tracker.
    """
    found = []
    for name, options in (cfg.get("callbacks") or {}).items():
        callback = _named(cfg, "callbacks", name, options, place="callbacks")
        if not isinstance(callback, pl.Callback):
            raise InputError(
                f"callbacks.{name}: {type(callback).__name__} is no Lightning callback"
            )
        if isinstance(callback, LearningRateMonitor | DeviceStatsMonitor):
            if not first:
                continue
            if not logged:
                raise InputError(
                    f"callbacks.{name}: tells a tracker, and there is none; add logger=tensorboard "
                    "or wandb (epochs.csv has losses and learning rate of every epoch without)"
                )
        found.append(callback)
    return found


def check_parts(cfg: DictConfig, *, logged: bool) -> None:
    """Build what is needed after or beside a training once, so that it fails before it.

    Raises InputError if anything the config names cannot be built.
    """
    check_targets(cfg)
    build_metrics(cfg)
    build_floors(cfg)
    build_callbacks(cfg, logged=logged, first=True)
    for name in ("callbacks", "logger"):
        if cfg.trainer.get(name):
            raise InputError(f"trainer.{name}: give {name}=NAME instead, which is merged with ours")
    if cfg.trainer.get("fast_dev_run"):
        raise InputError(
            "trainer.fast_dev_run: keeps no weights to score; trainer.max_epochs=1 "
            "+trainer.limit_train_batches=1 +trainer.limit_val_batches=1 tries a run"
        )


def own_metrics(metrics: Iterable[VideoMetric]) -> list[VideoMetric]:
    """Those that are not part of this project."""
    return [m for m in metrics if not type(m).__module__.startswith("mua_decode.")]


@torch.no_grad()
def try_metrics(metrics: list[VideoMetric], data: DecodingData) -> None:
    """Score two videos with metrics that are not ours, so that they fail before a training.

    Raises InputError if one fails, or gives anything but one number per video.
    """
    own = own_metrics(metrics)
    if not own:
        return
    candidates = data.mean_videos(None)
    pair = torch.arange(min(2, len(candidates)))
    shown = Shown(video=candidates[pair], condition=pair, candidates=candidates)
    for metric in own:
        if metric.segment is not None:
            continue
        try:
            score: Any = metric(candidates[pair].flip(0), shown)
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"metric.{metric.name}: {said}") from error
        if not isinstance(score, torch.Tensor) or score.shape != pair.shape:
            shape = tuple(getattr(score, "shape", ()))
            raise InputError(
                f"metric.{metric.name}: expected one number per video, a tensor "
                f"({len(pair)},), found {type(score).__name__} {shape}"
            )


def _named(
    cfg: DictConfig, part: str, name: object, options: Any, *, place: str | None = None
) -> Any:
    if not isinstance(options, DictConfig):
        raise InputError(f"{part}.{name}: expected a block with _target_, found {options}")
    try:
        return instantiate(options, trusted=cfg.get("trusted") or (), place=place)
    except InputError as error:
        raise InputError(f"{part}.{name}: {error}") from error
