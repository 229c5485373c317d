"""Everything that is measured, the plain writing and ours in turn."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from mua_decode import __version__
from mua_decode.benchmark.floor import measure_peak, step_operations
from mua_decode.benchmark.memory import measure_apart
from mua_decode.benchmark.plan import BenchmarkPlan
from mua_decode.benchmark.timing import Timing, time_alternately
from mua_decode.benchmark.workloads import DTYPES, Sizes, Workload, load_plain
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.runs.progress import working
from mua_decode.scoring.stream import decode_subsets


@dataclass
class Measured:
    """What was measured: flat numbers, and a row per kind, route and size."""

    flat: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def note(self, kind: str, sizes: Sizes, trials: int, times: Mapping[str, Timing]) -> None:
        """Add rows of programs that took ``times`` for ``trials`` trials."""
        for name, timing in times.items():
            self.rows.append(
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
            )


def benchmark(plan: BenchmarkPlan) -> Measured:
    """Measure what a plan asks for; ``InputError`` if the plain baseline is missing."""
    load_plain()
    torch.set_num_threads(plan.threads or os.cpu_count() or 1)
    found = Measured(_machine(plan))
    flat = found.flat
    with working("peak of a matrix product"):
        size = 2048 if plan.device == "cpu" else 8192
        peak = measure_peak(device=plan.device, dtype=DTYPES[plan.precision], size=size)
    flat["peak_gflops"] = peak / 1e9
    with working("training step, inference and latency"):
        _paper_sizes(plan, peak, found)
    if plan.subset_trials:
        with working("subsets of regions"):
            flat |= _subsets(plan)
    if plan.measure_memory and plan.device == "cpu":
        with working("peak memory of a step"):
            flat |= _memory(plan)
    if plan.measure_data:
        with working("paper-size data set"):
            flat |= {f"data/{k}": v for k, v in measure_apart("data").items()}
        with working("epochs of the paper-size data set"):
            epoch = measure_apart("epoch", threads=torch.get_num_threads())
            flat |= {f"epoch/{k}": v for k, v in epoch.items()}
    _scaling(plan, found)
    return found


def _machine(plan: BenchmarkPlan) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if plan.device != "cpu" else None
    return {
        "version": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": gpu or f"{_processor()}, {torch.get_num_threads()} threads",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "compiled_kernel": load_lanes() is not None,
        "device": plan.device,
        "precision": plan.precision,
        "batch": plan.batch,
        "rounds": plan.rounds,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _workloads(plan: BenchmarkPlan, sizes: Sizes) -> dict[str, Workload]:
    given: dict[str, Any] = {"precision": plan.precision, "device": plan.device, "seed": plan.seed}
    return {r: Workload(r, sizes, **given) for r in ("baseline", *plan.routes)}


def _paper_sizes(plan: BenchmarkPlan, peak: float, found: Measured) -> None:
    sizes = Sizes(batch=plan.batch)
    work = _workloads(plan, sizes)
    operations = {name: step_operations(name, sizes) for name in work}
    # Kind, program, trials, rounds, share of a step's operations.
    kinds: list[tuple[str, Callable[[Workload], Callable[[], object]], int, int, float]] = [
        ("train_step", lambda w: w.step, sizes.batch, plan.rounds, 1.0),
        ("forward_backward", lambda w: w.forward_backward, sizes.batch, plan.rounds, 1.0),
        ("inference", lambda w: w.decode, sizes.batch, plan.rounds, 1 / 3),
        ("latency", lambda w: partial(w.decode, 1), 1, plan.latency_rounds, 1 / 3),
    ]
    for kind, program, trials, rounds, share in kinds:
        programs = {name: program(w) for name, w in work.items()}
        times = time_alternately(programs, rounds=rounds, device=plan.device)
        for name, timing in times.items():
            label, seconds = plan.label(name), timing.median / trials
            least = operations[name] * share / peak
            found.flat |= {
                f"{kind}/{label}_ms": 1e3 * seconds,
                f"{kind}/{label}_spread": timing.spread,
                f"{kind}/{label}_floor_ms": 1e3 * least,
                f"{kind}/{label}_utilisation": least / seconds,
            }
            if name != "baseline":
                found.flat[_ratio(kind, label)] = timing.ratio_to(times["baseline"])
        found.note(kind, sizes, trials, times)


def _ratio(kind: str, label: str) -> str:
    return f"{kind}/ratio" if label == "fast" else f"{kind}/{label}_ratio"


def _subsets(plan: BenchmarkPlan) -> dict[str, float]:
    """Decode under all 64 subsets of six regions, eight at a time, plain and ours in turn."""
    sizes = Sizes(batch=plan.subset_trials)
    plain, ours = _workloads(replace(plan, routes=plan.routes[:1]), sizes).values()
    for work in (plain, ours):
        work.model.eval()
    region = torch.arange(sizes.sites, device=plain.device) * 6 // sizes.sites
    masks = torch.arange(64, device=plain.device)
    parts = ((masks.unsqueeze(1) >> region) & 1).bool().split(8)
    turns, ours_turns = (iter((parts[0], *parts)) for _ in range(2))  # the first to warm up

    @torch.inference_mode()
    def mask_by_mask() -> None:
        for keep in next(turns):
            plain.decode_spikes(plain.spikes * keep)

    def in_full_batches() -> None:
        keep = next(ours_turns)
        for _ in decode_subsets(ours.decode_spikes, ours.spikes, keep, batch_size=plan.batch):
            pass

    programs = {"plain": mask_by_mask, "ours": in_full_batches}
    times = time_alternately(programs, rounds=len(parts), device=plan.device)
    decoded = sizes.batch * len(parts[0])
    return {
        "subsets/plain_ms": 1e3 * times["plain"].median / decoded,
        "subsets/fast_ms": 1e3 * times["ours"].median / decoded,
        "subsets/ratio": times["ours"].ratio_to(times["plain"]),
    }


def _memory(plan: BenchmarkPlan) -> dict[str, float]:
    flat: dict[str, float] = {}
    threads = torch.get_num_threads()
    for route in ("baseline", *plan.routes):
        label = plan.label(route)
        mib = measure_apart("step", route=route, threads=threads, batch=plan.batch)["step_mib"]
        flat[f"peak_memory/{label}_mib"] = mib
        if route != "baseline":
            flat[_ratio("peak_memory", label)] = flat["peak_memory/plain_mib"] / mib
    return flat


def _scaling(plan: BenchmarkPlan, found: Measured) -> None:
    """Cost of a training step against each size, and of decoding against the trials."""
    scaling = plan.scaling
    if scaling is None:
        return
    usual = Sizes(batch=scaling.batch)
    for axis in ("sites", "bins", "frame", "batch"):
        for value in (scaling.batches if axis == "batch" else getattr(scaling, axis)) or ():
            sizes = replace(usual, **{axis: value})
            with working(f"scaling: {axis} {value}"):
                steps = {n: w.step for n, w in _workloads(plan, sizes).items()}
                times = time_alternately(steps, rounds=scaling.rounds, device=plan.device)
            found.note(f"scaling/{axis}", sizes, sizes.batch, times)
    for number in scaling.trials or ():
        sizes = replace(usual, batch=number)
        with working(f"scaling: decoding of {number} trials"):
            decoders = {n: w.decode for n, w in _workloads(plan, sizes).items()}
            times = time_alternately(decoders, rounds=scaling.rounds + 1, device=plan.device)
        found.note("scaling/trials", sizes, sizes.batch, times)
