"""The paper's full protocol on one GPU: 64 x 512 pseudo-trials, 40 epochs, plain beside ours.

    python benchmarks/gpu_paper.py --device cuda --precision bf16 --out gpu_paper.json

Trains our network and, for a share of the steps, the plain writing at the same precision, prints
seconds, ratio, utilisation against the measured matrix peak, and the final test loss of ours beside
three plain seeds (``--plain-seeds 3`` trains those in full). ``--check`` runs the same code path in
a minute on a CPU with a small network and a few batches. GPU figures are open until somebody has
run this on one; see docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mua_decode.benchmark.floor import measure_peak, step_operations
from mua_decode.benchmark.workloads import Sizes, load_plain
from mua_decode.data import DecodingData
from mua_decode.data.dataset import EpochSampler
from mua_decode.data.resident import ResidentLoader
from mua_decode.losses import SSIMMSELoss
from mua_decode.models import VideoUNet
from mua_decode.nn import derive_time_pools
from mua_decode.runs.build import build_data, build_recording
from mua_decode.runs.config import compose

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Trainer:
    """One network with its loss and optimiser, no host synchronisation in the step."""

    def __init__(self, route: str, data: DecodingData, args: argparse.Namespace, seed: int) -> None:
        torch.manual_seed(seed)
        device = torch.device(args.device)
        sites, bins, frame = data.n_sites, data.n_bins, data.frame_shape
        weights = data.stimuli.frame_weights
        if route == "plain":
            plain = load_plain()
            pools = tuple((t, 2, 2) for t in derive_time_pools(bins))
            self.model: nn.Module = plain.PlainVideoUNet(
                sites, bins, frame, pools=pools, width=args.width
            )
            self.loss: nn.Module = plain.PlainLoss(weights)
        else:
            self.model = VideoUNet(sites, bins, frame, kernels=route, width=args.width)
            self.loss = SSIMMSELoss(weights, data_range=1.0, normalisation="sum")
        self.model.to(device)
        self.loss.to(device)
        self.route, self.dtype, self.device = route, DTYPES[args.precision], device
        if route != "plain" and args.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last_3d)
        self.scaler = torch.amp.GradScaler(device.type, enabled=args.precision == "fp16")
        self.optimiser = torch.optim.Adamax(
            self.model.parameters(), lr=0.01, foreach=True, capturable=device.type == "cuda"
        )
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimiser, 3, 0.85)
        compiled: Callable[[Tensor, Tensor], Tensor] = self._value
        if route != "plain" and args.compile != "none":
            compiled = torch.compile(self._value, mode=args.compile)
        self.value = compiled

    def _value(self, spikes: Tensor, video: Tensor) -> Tensor:
        enabled = self.dtype is not None
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=enabled):
            predicted = self.model(spikes)
        out: Tensor = self.loss(predicted.float(), video)
        return out

    def epoch(self, loader: ResidentLoader, most: int | None) -> Tensor:
        self.model.train()
        total, number = torch.zeros((), device=self.device), 0
        for batch in loader:
            self.optimiser.zero_grad(set_to_none=True)
            value = self.value(batch.spikes, batch.video)
            self.scaler.scale(value).backward()
            self.scaler.step(self.optimiser)
            self.scaler.update()
            total, number = total + value.detach(), number + 1
            if number == most:
                break
        return total / number

    @torch.inference_mode()
    def test(self, loader: ResidentLoader, most: int | None) -> float:
        self.model.eval()
        values = []
        for number, batch in enumerate(loader):
            if number == most:
                break
            values.append(self._value(batch.spikes, batch.video))
        return float(torch.stack(values).mean())


def loader(data: DecodingData, part: str, args: argparse.Namespace) -> ResidentLoader:
    dataset = data.dataset(part)
    sampler = EpochSampler(dataset, seed=0, shuffle=part == "train")
    return ResidentLoader(
        dataset,
        batch_size=args.batch,
        sampler=sampler,
        drop_last=part == "train",
        device=args.device,
    )


def train(route: str, data: DecodingData, args: argparse.Namespace, seed: int) -> dict[str, float]:
    trainer, batches = Trainer(route, data, args, seed), loader(data, "train", args)
    start = time.perf_counter()
    for epoch in range(args.epochs):
        batches.sampler.set_epoch(epoch)
        mean = trainer.epoch(batches, args.batches)
        trainer.schedule.step()
    last = float(mean)  # the first wait for the device
    trained = time.perf_counter() - start
    test = trainer.test(loader(data, "test", args), args.batches)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "training_s": trained, "train_loss": last, "test_loss": test}


def step_seconds(route: str, data: DecodingData, args: argparse.Namespace) -> float:
    """Seconds per step after a warm-up, some tens of steps."""
    trainer, batches = Trainer(route, data, args, 0), loader(data, "train", args)
    number = min(args.ratio_steps, len(batches))
    float(trainer.epoch(batches, number))
    start = time.perf_counter()
    float(trainer.epoch(batches, number))
    return (time.perf_counter() - start) / number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=list(DTYPES), default="bf16")
    parser.add_argument("--route", default="auto", help="auto, fused or plain layers of ours")
    parser.add_argument(
        "--compile",
        default="none",
        help="torch.compile mode: none, default, reduce-overhead (CUDA graphs) or max-autotune",
    )
    parser.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--per-condition", type=int, default=512)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--plain-seeds", type=int, default=0, help="plain runs trained in full")
    parser.add_argument("--ratio-steps", type=int, default=30)
    parser.add_argument("--batches", type=int, default=None, help="at most so many per epoch")
    parser.add_argument("--check", action="store_true", help="the code path, small, on a CPU")
    parser.add_argument("--out", type=Path, default=Path("gpu_paper.json"))
    args = parser.parse_args()
    if args.check:
        args.device, args.precision, args.epochs, args.width = "cpu", "fp32", 2, 2
        args.batches, args.per_condition, args.batch, args.ratio_steps = 2, 4, 8, 2
    elif not torch.cuda.is_available():
        parser.error("no CUDA device here; --check runs the code path on a CPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    cfg = compose(
        "train",
        [
            "recording=simulated",
            f"recording.stimulus.variants={1 if args.check else 60}",
            "data.pseudo.fresh=false",
            f"data.pseudo.per_condition={args.per_condition}",
            f"data.batch_size={args.batch}",
        ],
    )
    data = build_data(cfg, build_recording(cfg))
    out: dict[str, Any] = {"torch": torch.__version__, **{k: str(v) for k, v in vars(args).items()}}
    if args.device == "cuda":
        out["machine"] = torch.cuda.get_device_name()
    out |= {f"ours/{k}": v for k, v in train(args.route, data, args, 0).items()}
    plain = step_seconds("plain", data, args)
    ours = step_seconds(args.route, data, args)
    out |= {"plain/step_ms": 1e3 * plain, "ours/step_ms": 1e3 * ours, "ratio": plain / ours}
    if not args.check:
        dtype = DTYPES[args.precision] or torch.float32
        peak = measure_peak(device=args.device, dtype=dtype, size=8192)
        operations = step_operations("fused", Sizes(batch=args.batch)) * args.batch
        out |= {"peak_tflops": peak / 1e12, "ours/utilisation": operations / peak / ours}
    for seed in range(args.plain_seeds):
        out |= {f"plain/{seed}/{k}": v for k, v in train("plain", data, args, seed).items()}
    args.out.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
