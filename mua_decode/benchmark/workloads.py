"""The published network, plain and ours, with everything a training step needs."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

import mua_decode
from mua_decode.losses import SSIMMSELoss
from mua_decode.models import VideoUNet
from mua_decode.nn import derive_time_pools
from mua_decode.nn.fast.routes import check_route
from mua_decode.types import InputError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Sizes:
    """What the cost depends on; the published sizes by default."""

    sites: int = 140
    bins: int = 45
    frame: int = 32
    batch: int = 32

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(C, H, W), RGB and square."""
        return (3, self.frame, self.frame)

    @property
    def weights(self) -> list[float]:
        """Weight of every frame, in the published proportions of the segments."""
        share = [i / self.bins for i in range(self.bins)]
        return [1.0 if s < 1 / 9 else 2.0 if s < 1 / 3 else 5.0 for s in share]


def load_plain() -> ModuleType:
    """Import ``benchmarks/plain.py`` of the checkout or the wheel; ``InputError`` without it."""
    package = Path(mua_decode.__file__).parent
    for path in (package.parent / "benchmarks" / "plain.py", package / "plain_baseline.py"):
        if path.is_file():
            spec = importlib.util.spec_from_file_location("mua_decode_plain_baseline", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise InputError(
        "the plain baseline (benchmarks/plain.py) is neither in a checkout nor in this installation"
    )


class Workload:
    """A network with loss, optimiser and one batch; weights and data follow from the seed alone.

    Parameters
    ----------
    route
        "baseline" is the direct writing; any other name is a route of our network.
    precision
        Autocast of the network, one of DTYPES; statistics and loss stay in single precision.
    """

    def __init__(
        self,
        route: str,
        sizes: Sizes,
        *,
        device: str = "cpu",
        precision: str = "fp32",
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        plain = load_plain()
        bins, frame = sizes.bins, sizes.frame_shape
        pools = tuple((t, 2, 2) for t in derive_time_pools(bins))
        baseline: nn.Module = plain.PlainVideoUNet(sizes.sites, bins, frame, pools=pools)
        self.model, self.loss = baseline, plain.PlainLoss(sizes.weights)
        if route != "baseline":
            self.model = VideoUNet(sizes.sites, bins, frame, kernels=check_route(route))
            self.model.load_state_dict(baseline.state_dict())
            compiled = route in ("auto", "compiled")
            self.loss = SSIMMSELoss(
                sizes.weights, data_range=1.0, normalisation="sum", compiled=compiled
            )
        self.model.to(device)
        self.loss.to(device)
        self.device, self.dtype = torch.device(device), DTYPES[precision]
        self.optimiser = torch.optim.Adamax(self.model.parameters(), lr=0.01)
        generator = torch.Generator().manual_seed(seed)
        self.spikes = torch.randn(sizes.batch, bins, sizes.sites, generator=generator).to(device)
        video = torch.rand(sizes.batch, frame[0], bins, *frame[1:], generator=generator)
        self.video = video.to(device)

    def decode_spikes(self, spikes: Tensor) -> Tensor:
        """Decode spikes (B, T, N) in the mode the model is in; float32."""
        enabled = self.dtype is not torch.float32
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=enabled):
            out: Tensor = self.model(spikes)
        return out.float()

    def forward_backward(self) -> None:
        """Network alone, forward and backward."""
        self.model.train()
        self.optimiser.zero_grad()
        self.decode_spikes(self.spikes).mean().backward()

    def step(self) -> Tensor:
        """Full training step: network, loss, gradient, optimiser; returns the loss."""
        self.model.train()
        self.optimiser.zero_grad()
        value: Tensor = self.loss(self.decode_spikes(self.spikes), self.video)
        value.backward()
        self.optimiser.step()
        return value.detach()

    @torch.inference_mode()
    def decode(self, number: int | None = None) -> Tensor:
        """Decode the first `number` trials of the batch (all by default), evaluation mode."""
        self.model.eval()
        return self.decode_spikes(self.spikes if number is None else self.spikes[:number])
