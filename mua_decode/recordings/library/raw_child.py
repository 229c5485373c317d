"""Multi-unit activity from raw voltage, through SpikeInterface; see guarded_child.py."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import numpy as np
import spikeinterface.core as core
import spikeinterface.preprocessing as steps
from guarded_child import RefusedError, flat, plain_value  # type: ignore[import-not-found]
from sorting_child import reader  # type: ignore[import-not-found]
from spikeinterface.core.job_tools import TimeSeriesChunkExecutor
from spikeinterface.sortingcomponents.peak_detection import detect_peaks


class _Lines:
    """A file that progress is written to: a line now and then, no bar that is drawn over."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.replace("\r", "\n"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_FEWEST = 8  # channels: the median of fewer takes their own spikes away
_RAW = {"binary_folder": core.read_binary_folder, "zarr": core.read_zarr}


def read(request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return threshold crossings of every channel, or the mean rectified voltage in bins.

    With ``look`` the channels alone: no voltage is read.
    """
    plan = request["plan"]
    found = (_RAW.get(request["format"]) or reader(request["format"], "recording"))(
        request["path"], **request["options"]
    )
    voltage = found[0] if isinstance(found, tuple) else found
    if not hasattr(voltage, "get_traces"):
        raise RefusedError(f"format={request['format']} holds no voltage")
    if voltage.get_num_segments() != 1:
        raise RefusedError(f"it has {voltage.get_num_segments()} segments, expected one per file")
    about: dict[str, Any] = {"units": _channels(voltage), "tables": {}, "notes": []}
    about["rate_hz"] = float(voltage.get_sampling_frequency())
    about["duration_s"] = float(voltage.get_num_samples(0) / about["rate_hz"])
    if request.get("look"):
        return about, flat([np.empty(0)] * voltage.get_num_channels())
    clean, notes = _clean(voltage, plan)
    about["notes"] += notes
    # Threads: nothing has to be pickled, and the filters leave the interpreter free.
    jobs = {
        "n_jobs": int(plan["jobs"]), "pool_engine": "thread",
        "chunk_duration": f"{plan['chunk_s']}s", "progress_bar": bool(plan["progress"]),
    }  # fmt: skip
    if not sys.stderr.isatty():
        sys.stderr = _Lines(sys.stderr)
    start_s = float(voltage.get_times(segment_index=0)[0]) if voltage.has_time_vector(0) else None
    start_s = float(voltage.get_start_time(segment_index=0)) if start_s is None else start_s
    if plan["measure"] == "envelope":
        values, bin_s = _envelope(clean, plan, jobs)
        about |= {"bin_s": bin_s, "start_s": start_s}
        return about, {"envelope": values}
    noise = core.get_noise_levels(
        clean,
        return_in_uV=False,
        random_slices_kwargs={"seed": 0},
        **{**jobs, "progress_bar": False},
    )
    dead = int((noise <= 0).sum())
    if dead:
        about["notes"].append(f"{dead} of {len(noise)} channels are flat: no spike is found there")
    peaks = detect_peaks(
        clean,
        method="by_channel",
        method_kwargs={
            "peak_sign": {"-": "neg", "+": "pos", "both": "both"}[plan["sign"]],
            "detect_threshold": float(plan["threshold_sd"]),
            "exclude_sweep_ms": float(plan["refractory_ms"]),
            "noise_levels": np.where(noise > 0, noise, np.inf),
        },
        job_kwargs=jobs,
    )
    times = voltage.sample_index_to_time(peaks["sample_index"], segment_index=0)
    trains = [
        np.sort(times[peaks["channel_index"] == c]) for c in range(voltage.get_num_channels())
    ]
    return about, flat(trains)


def _channels(voltage: Any) -> dict[str, list[Any]]:
    units = {"id": [str(c) for c in voltage.channel_ids]}
    for key in voltage.get_property_keys():
        values = np.asarray(voltage.get_property(key))
        if values.ndim == 1 and not values.dtype.names and key != "id":
            units[str(key)] = [plain_value(v) for v in values]
    if voltage.has_probe():
        places = voltage.get_channel_locations()
        for axis, name in enumerate("xyz"[: places.shape[1]]):
            units[name] = places[:, axis].astype(float).tolist()
    return units


def _clean(voltage: Any, plan: dict[str, Any]) -> tuple[Any, list[str]]:
    """Band-passed voltage against the common reference, of every group of channels."""
    if voltage.get_dtype().kind == "u":
        voltage = steps.unsigned_to_signed(voltage)
    low, high = plan["band_hz"]
    nyquist = voltage.get_sampling_frequency() / 2
    if not 0 < low < high < nyquist:
        raise RefusedError(f"band_hz={low:g} to {high:g} must lie between 0 and {nyquist:g} Hz")
    clean = steps.bandpass_filter(voltage, freq_min=low, freq_max=high, dtype="float32")
    if plan["reference"] is None:
        return clean, []
    group = voltage.get_property("group")
    group = np.zeros(voltage.get_num_channels(), int) if group is None else np.asarray(group)
    members = [voltage.channel_ids[group == g].tolist() for g in np.unique(group)]
    if min(len(m) for m in members) < _FEWEST:
        return clean, [f"no common reference: a group of channels has fewer than {_FEWEST}"]
    clean = steps.common_reference(
        clean, reference="global", operator=plan["reference"], groups=members
    )
    return clean, []


def _envelope(clean: Any, plan: dict[str, Any], jobs: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Mean rectified voltage (bins, channels) and the seconds of a bin, whole samples long."""
    rate = clean.get_sampling_frequency()
    size = max(1, round(plan["bin_s"] * rate))
    out = np.zeros((clean.get_num_samples(0) // size, clean.get_num_channels()), np.float32)
    scale = clean.has_scaleable_traces()

    def mean(segment_index: int, start_frame: int, end_frame: int, _: dict[str, Any]) -> None:
        first, last = start_frame // size, min(end_frame // size, len(out))
        if last > first:
            traces = clean.get_traces(
                segment_index=segment_index, start_frame=first * size, end_frame=last * size,
                return_in_uV=scale,
            )  # fmt: skip
            out[first:last] = np.abs(traces).reshape(last - first, size, -1).mean(axis=1)

    frames = max(1, round(plan["chunk_s"] * rate / size)) * size
    jobs = {k: v for k, v in jobs.items() if k != "chunk_duration"}
    executor = TimeSeriesChunkExecutor(
        clean, mean, dict, (), job_name="envelope", chunk_size=frames, **jobs
    )
    executor.run()
    return out, size / rate
