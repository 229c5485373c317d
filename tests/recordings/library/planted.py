"""Sources that SpikeInterface and Neo write themselves, with what was planted in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

core = pytest.importorskip("spikeinterface.core")

RATE_HZ, NOISE = 25000.0, 5.0


@dataclass(frozen=True)
class Planted:
    """Raw voltage with units of known size; the times are those of their troughs."""

    recording: Any
    times: list[np.ndarray]
    channel: np.ndarray  # where each unit is largest


def ground_truth(
    *, sd: float, seconds: float = 20.0, units: int = 4, channels: int = 16
) -> Planted:
    """Units whose trough is ``sd`` standard deviations of the noise on their own channel."""
    options: dict[str, Any] = {
        "durations": [seconds], "num_channels": channels, "num_units": units, "seed": 3,
        "sampling_frequency": RATE_HZ, "ms_before": 1.0, "ms_after": 3.0,
        "noise_kwargs": {"noise_levels": NOISE, "strategy": "on_the_fly"},
        "generate_sorting_kwargs": {"firing_rates": 12, "refractory_period_ms": 4.0},
    }  # fmt: skip
    first, sorting = core.generate_ground_truth_recording(**options)
    templates = np.array(first.templates)
    trough = -templates.min(axis=1)  # (units, channels)
    templates *= (sd * NOISE / trough.max(axis=1))[:, None, None]
    recording, _ = core.generate_ground_truth_recording(
        **options, sorting=sorting, templates=templates, probe=first.get_probe()
    )
    channel = trough.argmax(axis=1)
    peak = templates[np.arange(units), :, channel].argmin(axis=1) - round(0.001 * RATE_HZ)
    times = [
        (sorting.get_unit_spike_train(u, segment_index=0) + p) / RATE_HZ
        for u, p in zip(sorting.unit_ids, peak, strict=True)
    ]
    return Planted(recording, times, channel)


def tuned_trains(*, trials: int = 24, conditions: int = 4, units: int = 6) -> list[np.ndarray]:
    """Spikes of units that fire in trials of their own condition; a trial a second from 1 s on."""
    rng = np.random.default_rng(0)
    trains = []
    for unit in range(units):
        times: list[float] = []
        for trial in range(trials):
            rate = 40 if trial % conditions == unit % conditions else 4
            times += (1.0 + trial + rng.uniform(0, 1, rng.poisson(rate))).tolist()
        trains.append(np.sort(times))
    return trains


def trials_table(trials: int = 24, conditions: int = 4) -> pd.DataFrame:
    start = 1.0 + np.arange(trials)
    picture = [f"p{k % conditions}" for k in range(trials)]
    return pd.DataFrame({"start_s": start, "stop_s": start + 1.0, "picture": picture})


def pictures(folder: Path, conditions: int = 4) -> Path:
    """A video per condition: a bar that stands elsewhere in each."""
    folder.mkdir()
    for k in range(conditions):
        video = np.zeros((10, 16, 16), np.uint8)
        video[:, :, 4 * k : 4 * k + 4] = 255
        np.save(folder / f"p{k}.npy", video)
    return folder
