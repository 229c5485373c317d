"""The network of a run as a file that other programs can load."""

from __future__ import annotations

import importlib
import io
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mua_decode import __version__
from mua_decode.files import sha256, whole, write_text
from mua_decode.limits import check_room
from mua_decode.nn import fold_batchnorm
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console, working
from mua_decode.runs.run import Run
from mua_decode.types import InputError

_SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_BATCHES = (1, 3, 8)  # sizes of the check; the file takes any
_LARGEST_BATCH = 2**20
_INPUT, _OUTPUT = "spikes", "video"
# Bytes that the exporters take, and weights that they hold at once, with as much again in reserve:
# where it ends, they crash. What the comparison takes is refused as an error.
_TORCH, _ONNX, _COPIES = 128 << 20, 768 << 20, 8

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class ExportPlan:
    """How a network is written and compared with the original; see ``conf/export.yaml``."""

    format: str
    tolerance: float
    seed: int

    def __post_init__(self) -> None:
        if self.format not in _SUFFIXES:
            raise InputError(f"format={self.format}: choose from {', '.join(_SUFFIXES)}")

    def file(self, out: str | None) -> Path:
        """Return the path asked for, if this format can be written there.

        ``InputError`` if it has another suffix, or a package that writes the format is missing.
        """
        suffix = _SUFFIXES[self.format]
        if not out:
            raise InputError(f"out is not set; give a file: out=FILE{suffix}")
        path = Path(out).expanduser()
        if path.is_dir() or path.suffix != suffix:
            raise InputError(
                f"out: format={self.format} writes a file: out=FILE{suffix}, found {path}"
            )
        for package in _NEEDED if self.format == "onnx" else ():
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise InputError(
                    f"format=onnx needs {package}, which is not installed: "
                    "pip install 'mua-decode[export]'"
                ) from error
        # Before any work is done.
        RunFolder.create(str(path.parent), "out", shared=True, option="out")
        return path


def export(run: Run, plan: ExportPlan, out: Path) -> dict[str, Any]:
    """Write the network of a run on the CPU, and ``FILE.json`` with what has to be known of it.

    ``InputError`` if ``out`` cannot be written; ``RuntimeError`` if the file read again differs
    from the network by more than the tolerance.
    """
    network, onnx = run.network, plan.format == "onnx"
    weights = sum(p.nbytes for p in network.parameters())
    check_room((_ONNX if onnx else _TORCH) + _COPIES * weights, "the export")
    try:
        with whole(out) as partial:
            with working(f"exporting to {out.name}"):
                program = _program(fold_batchnorm(network), _inputs(run, 4, plan.seed))
                (_write_onnx if onnx else _write_torch)(program, partial)
            with working("comparing with the network of the run"):
                exported = _load_onnx(partial) if onnx else torch.export.load(partial).module()
                found = _largest_difference(run, exported, seed=plan.seed)
            # Not <=, which would let NaN pass.
            if not found <= plan.tolerance:
                raise RuntimeError(
                    f"the exported network differs from the run's by {found:.3g} (tolerance "
                    f"{plan.tolerance:g}); {out} was not written"
                )
            about = _describe(run, plan, found, partial)
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror or error}") from error
    beside = out.with_name(f"{out.name}.json")
    write_text(beside, json.dumps(about, indent=2, allow_nan=False) + "\n")
    console.print(
        f"largest difference from the run's network {found:.2g} on {sum(_BATCHES)} random trials\n"
        f"{out} ({out.stat().st_size / 1e6:.1f} MB) and {beside.name}",
        highlight=False,
        soft_wrap=True,
    )
    return about


@torch.no_grad()
def _largest_difference(run: Run, exported: Network, *, seed: int) -> float:
    """Compare on standard normal input of several sizes; NaN if a pixel in [0, 1] is."""
    differences = []
    for spikes in (_inputs(run, number, seed + number) for number in _BATCHES):
        difference = run.network(spikes).double() - exported(spikes).double()
        differences.append(difference.abs().max())
    return float(torch.stack(differences).max())


def _inputs(run: Run, number: int, seed: int) -> Tensor:
    """Standard normal input, as standardised counts are in the mean."""
    shape = (number, run.population.n_bins, run.population.n_sites)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _program(network: nn.Module, spikes: Tensor) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    return torch.export.export(network, (spikes,), dynamic_shapes=({0: batch},))


def _write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    # Notices of operators this network does not have.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            program, f=path, input_names=[_INPUT], output_names=[_OUTPUT], dynamo=True,
            external_data=False, verbose=False,
        )  # fmt: skip


def _write_torch(program: torch.export.ExportedProgram, path: Path) -> None:
    # Given a name, PyTorch writes it into the file, which would then differ from one export to the
    # next; and where a disk is full, its writer crashes.
    held = io.BytesIO()
    torch.export.save(program, held)
    path.write_bytes(held.getbuffer())


def _load_onnx(path: Path) -> Network:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,), (returned,) = session.get_inputs(), session.get_outputs()

    def decode(spikes: Tensor) -> Tensor:
        (video,) = session.run([returned.name], {given.name: spikes.numpy()})
        return torch.from_numpy(video)

    return decode


def _describe(run: Run, plan: ExportPlan, difference: float, path: Path) -> dict[str, Any]:
    assert run.checkpoint is not None
    about = run.population
    channels, *size = about.frame_shape
    return {
        "format": plan.format,
        "version": __version__,
        "torch": torch.__version__,
        "sha256": sha256([path]),
        "run_dir": str(run.folder.path),
        "checkpoint": run.checkpoint.name,
        "input": {
            "name": _INPUT,
            "axes": "(batch, bins, sites), standardised counts: (counts - mean) / std per site, "
            "of square roots where root is true; 0 for a site that was not recorded",
            "shape": ["batch", about.n_bins, about.n_sites],
            "dtype": "float32",
        },
        "output": {
            "name": _OUTPUT,
            "axes": "(batch, C, T, H, W), in [0, 1]",
            "shape": ["batch", channels, about.n_bins, *size],
            "dtype": "float32",
        },
        "check": {
            "input": "standard normal",
            "batches": list(_BATCHES),
            "largest_difference": difference,
            "tolerance": plan.tolerance,
        },
        "population": about.to_json(),
    }
