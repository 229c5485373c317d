"""Time the direct writing of the network and ours side by side."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode import __version__, figures
from mua_decode.benchmark import (
    Floor,
    Sizes,
    Timing,
    Workload,
    load_plain,
    measure_epoch,
    measure_peak,
    peak_of_data,
    peak_of_step,
    step_operations,
    time_alternately,
)
from mua_decode.benchmark.figure import speed
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console, working
from mua_decode.scoring.stream import decode_subsets
from mua_decode.types import InputError

Rows = list[dict[str, Any]]


def run(cfg: DictConfig) -> dict[str, Any]:
    """Measure training step, inference, latency and memory, plain beside ours.

    All programs run in turn, round by round; medians with the distance between the quartiles are
    given, and each is set beside the arithmetic floor: its operations, counted from the shapes,
    over the rate of a large matrix product. Writes benchmark.json, benchmark.csv and
    figures/benchmark.png.
    """
    try:
        load_plain()
    except FileNotFoundError as error:
        raise InputError(str(error)) from error
    if str(cfg.device).startswith("cuda") and not torch.cuda.is_available():
        raise InputError("device=cuda: there is no CUDA device here; GPU figures stay open")
    folder = RunFolder.create(cfg.run_dir, str(cfg.name))
    torch.set_num_threads(int(cfg.threads or os.cpu_count() or 1))
    flat: dict[str, Any] = _machine(cfg)
    rows: Rows = []
    with working("peak of a matrix product"):
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        size = 2048 if cfg.device == "cpu" else 8192
        peak = measure_peak(device=cfg.device, dtype=dtype[cfg.precision], size=size)
    flat["peak_gflops"] = peak / 1e9
    with working("training step, inference and latency"):
        _paper_sizes(cfg, peak, flat, rows)
    if cfg.subset_trials:
        with working("subsets of regions"):
            flat |= _subsets(cfg)
    if cfg.measure_memory and cfg.device == "cpu":
        with working("peak memory of a step"):
            _memory(cfg, flat)
    if cfg.measure_data:
        with working("paper-size data set"):
            flat |= {f"data/{key}": value for key, value in peak_of_data().items()}
        with working("epochs of the paper-size data set"):
            epoch = measure_epoch(threads=torch.get_num_threads())
            flat |= {f"epoch/{key}": value for key, value in epoch.items()}
    if cfg.scaling:
        _scaling(cfg, rows)
    folder.save_config(cfg)
    table = pd.DataFrame(rows)
    table.to_csv(folder.path / "benchmark.csv", index=False)
    text = json.dumps({k: _rounded(v) for k, v in flat.items()}, indent=1)
    (folder.path / "benchmark.json").write_text(text + "\n")
    figures.save(speed(table), folder.figure("benchmark.png"))
    _print(flat, folder)
    return flat


def _machine(cfg: DictConfig) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if cfg.device != "cpu" else None
    return {
        "version": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": gpu or f"{_processor()}, {torch.get_num_threads()} threads",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "compiled_kernel": load_lanes() is not None,
        "device": str(cfg.device),
        "precision": str(cfg.precision),
        "batch": int(cfg.batch),
        "rounds": int(cfg.rounds),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _workloads(cfg: DictConfig, sizes: Sizes) -> dict[str, Workload]:
    options = {"device": cfg.device, "precision": cfg.precision, "seed": int(cfg.seed)}
    return {r: Workload(r, sizes, **options) for r in ("baseline", *cfg.routes)}


def _paper_sizes(cfg: DictConfig, peak: float, flat: dict[str, Any], rows: Rows) -> None:
    sizes = Sizes(batch=int(cfg.batch))
    work = _workloads(cfg, sizes)
    device, rounds = str(cfg.device), int(cfg.rounds)
    operations = {name: step_operations(name, sizes) for name in work}
    kinds: dict[str, tuple[dict[str, Any], int, int, float]] = {
        "train_step": ({n: w.step for n, w in work.items()}, sizes.batch, rounds, 1.0),
        "forward_backward": (
            {n: w.forward_backward for n, w in work.items()},
            sizes.batch,
            rounds,
            1.0,
        ),
        "inference": ({n: w.decode for n, w in work.items()}, sizes.batch, rounds, 1 / 3),
        "latency": (
            {n: (lambda w=w: w.decode(1)) for n, w in work.items()},
            1,
            int(cfg.latency_rounds),
            1 / 3,
        ),
    }
    for kind, (programs, trials, repeats, share) in kinds.items():
        times = time_alternately(programs, rounds=repeats, device=device)
        floors = {n: Floor(operations[n] * share, peak) for n in programs}
        _record(kind, times, trials, floors, flat)
        rows += _as_rows(kind, sizes, trials, times)


def _record(
    kind: str,
    times: dict[str, Timing],
    trials: int,
    floors: dict[str, Floor],
    flat: dict[str, Any],
) -> None:
    """Fill the flat keys of one kind; the first route of ours is "fast"."""
    names = list(times)
    for name in names:
        label = {"baseline": "plain", names[1]: "fast"}.get(name, name)
        seconds = times[name].median / trials
        flat[f"{kind}/{label}_ms"] = 1e3 * seconds
        flat[f"{kind}/{label}_spread"] = times[name].spread
        flat[f"{kind}/{label}_floor_ms"] = 1e3 * floors[name].seconds
        flat[f"{kind}/{label}_utilisation"] = floors[name].utilisation(seconds)
        if name != "baseline":
            key = "ratio" if label == "fast" else f"{label}_ratio"
            flat[f"{kind}/{key}"] = times[name].ratio_to(times["baseline"])


def _as_rows(kind: str, sizes: Sizes, trials: int, times: dict[str, Timing]) -> Rows:
    return [
        {
            "kind": kind,
            "route": name,
            "sites": sizes.sites,
            "bins": sizes.bins,
            "frame": sizes.frame,
            "batch": trials,
            "ms_per_trial": 1e3 * timing.median / trials,
            "spread": timing.spread,
            "ratio": timing.ratio_to(times["baseline"]),
        }
        for name, timing in times.items()
    ]


def _subsets(cfg: DictConfig) -> dict[str, float]:
    """Decode under all 64 subsets of six regions: plain mask by mask, ours in full batches.

    Eight masks at a time, plain and ours in turn.
    """
    sizes = Sizes(batch=int(cfg.subset_trials))
    options = {"device": cfg.device, "precision": cfg.precision, "seed": int(cfg.seed)}
    plain, ours = (Workload(r, sizes, **options) for r in ("baseline", str(cfg.routes[0])))
    for work in (plain, ours):
        work.model.eval()
    region = torch.arange(sizes.sites, device=plain.device) * 6 // sizes.sites
    masks = torch.arange(64, device=plain.device)
    parts = ((masks.unsqueeze(1) >> region) & 1).bool().split(8)
    turns = {"plain": iter((parts[0], *parts)), "ours": iter((parts[0], *parts))}

    @torch.inference_mode()
    def mask_by_mask() -> None:
        for keep in next(turns["plain"]):
            plain.decode_spikes(plain.spikes * keep)

    def in_full_batches() -> None:
        keep = next(turns["ours"])
        for _ in decode_subsets(ours.decode_spikes, ours.spikes, keep, batch_size=int(cfg.batch)):
            pass

    programs = {"plain": mask_by_mask, "ours": in_full_batches}
    times = time_alternately(programs, rounds=len(parts), device=str(cfg.device))
    decoded = sizes.batch * len(parts[0])
    return {
        "subsets/plain_ms": 1e3 * times["plain"].median / decoded,
        "subsets/fast_ms": 1e3 * times["ours"].median / decoded,
        "subsets/ratio": times["ours"].ratio_to(times["plain"]),
    }


def _memory(cfg: DictConfig, flat: dict[str, Any]) -> None:
    threads, first = torch.get_num_threads(), str(cfg.routes[0])
    for route in ("baseline", *cfg.routes):
        label = {"baseline": "plain", first: "fast"}.get(route, route)
        found = peak_of_step(route, threads=threads, batch=int(cfg.batch))
        flat[f"peak_memory/{label}_mib"] = found["step_mib"]
        if route != "baseline":
            key = "ratio" if label == "fast" else f"{label}_ratio"
            flat[f"peak_memory/{key}"] = flat["peak_memory/plain_mib"] / found["step_mib"]


def _scaling(cfg: DictConfig, rows: Rows) -> None:
    """Cost of a training step against each size, and of decoding against the trials."""
    usual, rounds = Sizes(batch=int(cfg.scaling.batch)), int(cfg.scaling.rounds)
    axes = {"sites": "sites", "bins": "bins", "frame": "frame", "batches": "batch"}
    for key, field in axes.items():
        for value in cfg.scaling.get(key) or []:
            sizes = replace(usual, **{field: int(value)})
            with working(f"scaling: {field} {value}"):
                work = _workloads(cfg, sizes)
                steps = {n: w.step for n, w in work.items()}
                times = time_alternately(steps, rounds=rounds, device=str(cfg.device))
            rows += _as_rows(f"scaling/{field}", sizes, sizes.batch, times)
    for number in cfg.scaling.get("trials") or []:
        sizes = replace(usual, batch=int(number))
        with working(f"scaling: decoding of {number} trials"):
            decoders = {n: w.decode for n, w in _workloads(cfg, sizes).items()}
            times = time_alternately(decoders, rounds=rounds + 1, device=str(cfg.device))
        rows += _as_rows("scaling/trials", sizes, sizes.batch, times)


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


def _print(flat: dict[str, Any], folder: RunFolder) -> None:
    table = Table(title=f"{flat['machine']}, torch {flat['torch']}", box=SIMPLE_HEAD)
    for column in ("", "plain ms", "fast ms", "plain / fast", "of the peak"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for kind in ("train_step", "forward_backward", "inference", "latency"):
        table.add_row(
            kind,
            f"{flat[f'{kind}/plain_ms']:.2f}",
            f"{flat[f'{kind}/fast_ms']:.2f}",
            f"{flat[f'{kind}/ratio']:.2f}",
            f"{flat[f'{kind}/fast_utilisation']:.0%}",
        )
    if "peak_memory/ratio" in flat:
        plain, fast = (f"{flat[f'peak_memory/{n}_mib']:.0f} MiB" for n in ("plain", "fast"))
        table.add_row("peak_memory", plain, fast, f"{flat['peak_memory/ratio']:.2f}", "")
    console.print(table)
    if "subsets/ratio" in flat:
        console.print(f"64 subsets of regions: {flat['subsets/ratio']:.2f} times", highlight=False)
    if "epoch/loader_step_ratio" in flat:
        console.print(
            f"epoch, everything laid out over compact: {flat['epoch/loader_step_ratio']:.2f}",
            highlight=False,
        )
    if "data/peak_mib" in flat:
        console.print(f"paper-size data set: {flat['data/peak_mib']:.0f} MiB", highlight=False)
    console.print(f"numbers  {folder.path / 'benchmark.json'}", highlight=False, soft_wrap=True)
