"""Write a trained network as a file that other programs can load."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from mua_decode import __version__
from mua_decode.files import write_text
from mua_decode.nn import fold_batchnorm
from mua_decode.runs.progress import console, working
from mua_decode.runs.stored import StoredNetwork, open_network
from mua_decode.types import InputError

_SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_BATCHES = (1, 3, 8)  # sizes of the check; the file takes any
_LARGEST_BATCH = 2**20
_INPUT, _OUTPUT = "spikes", "video"

Network = Callable[[Tensor], Tensor]


def run(cfg: DictConfig) -> dict[str, Any]:
    """Write the network of a finished run as ONNX or as an exported PyTorch program.

    The file maps standardised counts (batch, bins, sites), any batch, to video (batch, C, T, H, W)
    in [0, 1]; the batch normalisation of the convolutions is folded into them. It is loaded again
    and compared with the network of the run on random input before it gets its name. FILE.json
    beside it holds shapes, sites in order, the standardiser, and the largest difference found.
    """
    out = _checked(cfg)
    stored = open_network(
        cfg.run_dir,
        checkpoint=str(cfg.checkpoint),
        device="cpu",
        overrides=list(cfg.overrides),
        trusted=list(cfg.trusted),
    )
    partial = out.with_name(f".{out.stem}.{os.getpid()}.partial{out.suffix}")
    write, load = (_write_onnx, _load_onnx) if cfg.format == "onnx" else (_write_torch, _load_torch)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with working(f"exporting to {out.name}"):
            write(fold_batchnorm(stored.network), _inputs(stored, 4, int(cfg.seed)), partial)
        with working("comparing with the network of the run"):
            found = largest_difference(stored, load(partial), seed=int(cfg.seed))
        # Not <=, which would let NaN pass.
        if not found <= float(cfg.tolerance):
            raise RuntimeError(
                f"the exported network differs from the run's by {found:.3g} (tolerance "
                f"{cfg.tolerance:g}); {out} was not written"
            )
        about = _describe(cfg, stored, found, partial)
        partial.replace(out)
    except OSError as error:
        raise InputError(f"out: {out} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
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
def largest_difference(stored: StoredNetwork, exported: Network, *, seed: int) -> float:
    """Compare an exported network with the run's on standard normal input of several sizes.

    Returns
    -------
    Largest absolute difference of a pixel in [0, 1]; NaN if either is.
    """
    differences = []
    for number in _BATCHES:
        spikes = _inputs(stored, number, seed + number)
        difference = stored.network(spikes).double() - exported(spikes).double()
        differences.append(difference.abs().max())
    return float(torch.stack(differences).max())


def _checked(cfg: DictConfig) -> Path:
    if cfg.format not in _SUFFIXES:
        raise InputError(f"format={cfg.format}: choose from {', '.join(_SUFFIXES)}")
    suffix = _SUFFIXES[cfg.format]
    if not cfg.out:
        raise InputError(f"out is not set; give a file: out=FILE{suffix}")
    out = Path(cfg.out).expanduser()
    if out.is_dir() or out.suffix != suffix:
        raise InputError(f"out: format={cfg.format} writes a file: out=FILE{suffix}, found {out}")
    if cfg.format == "onnx":
        for package in _NEEDED:
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise InputError(
                    f"format=onnx needs {package}, which is not installed: "
                    "pip install 'mua-decode[export]'"
                ) from error
    return out


def _inputs(stored: StoredNetwork, number: int, seed: int) -> Tensor:
    """Standard normal input, as standardised counts are in the mean."""
    shape = (number, stored.population.n_bins, stored.population.n_sites)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _dynamic() -> Any:
    return ({0: torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)},)


def _write_torch(network: nn.Module, spikes: Tensor, path: Path) -> None:
    program = torch.export.export(network, (spikes,), dynamic_shapes=_dynamic())
    torch.export.save(program, path)


def _load_torch(path: Path) -> Network:
    loaded: Network = torch.export.load(path).module()
    return loaded


def _write_onnx(network: nn.Module, spikes: Tensor, path: Path) -> None:
    program = torch.export.export(network, (spikes,), dynamic_shapes=_dynamic())
    # Notices of operators this network does not have.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            program,
            f=path,
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _load_onnx(path: Path) -> Network:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,), (returned,) = session.get_inputs(), session.get_outputs()

    def decode(spikes: Tensor) -> Tensor:
        (video,) = session.run([returned.name], {given.name: spikes.numpy()})
        return torch.from_numpy(video)

    return decode


def _describe(
    cfg: DictConfig, stored: StoredNetwork, difference: float, path: Path
) -> dict[str, Any]:
    run = stored.population
    channels, height, width = run.frame_shape
    return {
        "format": str(cfg.format),
        "version": __version__,
        "torch": torch.__version__,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "run_dir": str(stored.folder.path),
        "checkpoint": stored.checkpoint.name,
        "input": {
            "name": _INPUT,
            "axes": "(batch, bins, sites), standardised counts: (counts - mean) / std per site, "
            "of square roots where root is true; 0 for a site that was not recorded",
            "shape": ["batch", run.n_bins, run.n_sites],
            "dtype": "float32",
        },
        "output": {
            "name": _OUTPUT,
            "axes": "(batch, C, T, H, W), in [0, 1]",
            "shape": ["batch", channels, run.n_bins, height, width],
            "dtype": "float32",
        },
        "check": {
            "input": "standard normal",
            "batches": list(_BATCHES),
            "largest_difference": difference,
            "tolerance": float(cfg.tolerance),
        },
        "population": run.to_json(),
    }
