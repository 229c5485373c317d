"""The least time a step could take: its operations over the measured peak of the machine."""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mua_decode.benchmark.workloads import Sizes, Workload
from mua_decode.nn import DecoderBlock, EncoderBlock
from mua_decode.nn.fast.lane_blocks import PLAIN
from mua_decode.nn.fast.lane_routes import choose_lanes


def measure_peak(
    *, device: str = "cpu", dtype: torch.dtype = torch.float32, size: int = 2048
) -> float:
    """Operations per second of a matrix product of side `size`, the best of several.

    On a CPU the product is taken by the BLAS library and as a 1×1 convolution by oneDNN; the
    quicker one counts, since either library may be slow on the other vendor's processors.
    """
    a, b = torch.randn(2, size, size, device=device, dtype=dtype)
    side = int(size**0.5)
    image = b[: side * side].T.reshape(1, size, side, side)
    kernel = a.reshape(size, size, 1, 1)
    image = image.contiguous(memory_format=torch.channels_last)
    programs = [(lambda: a @ b, 2.0 * size**3)]
    if device == "cpu":
        programs.append((lambda: F.conv2d(image, kernel), 2.0 * size * size * side * side))
    best = 0.0
    with torch.inference_mode():
        for program, operations in programs:
            for _ in range(6):
                start = time.perf_counter()
                program()
                if device != "cpu":
                    torch.cuda.synchronize()
                best = max(best, operations / (time.perf_counter() - start))
    return best


def step_operations(route: str, sizes: Sizes) -> float:
    """Operations per trial of network, forward and backward, counted from the shapes.

    The baseline and the PyTorch routes are counted as PyTorch dispatches them; on the compiled
    kernel three times the forward pass is taken, the gradients to input and weights being as
    large each.
    """
    few = Sizes(sites=sizes.sites, bins=sizes.bins, frame=sizes.frame, batch=2)
    work = Workload(route, few)
    with FlopCounterMode(display=False) as counter:
        work.forward_backward()
    counted = counter.get_total_flops() / few.batch
    if route not in ("auto", "compiled") or not _compiled_serves(work.model):
        return counted
    products = 0.0
    for m in work.model.modules():
        if isinstance(m, nn.Linear):
            products += sizes.bins * m.in_features * m.out_features
        elif isinstance(m, EncoderBlock | DecoderBlock):
            products += m.lane_plan.multiply_adds(m.conv.in_channels, m.conv.out_channels)
    return 6.0 * products


def _compiled_serves(model: nn.Module) -> bool:
    network: Any = model.autoencoder
    model.train()
    channels = int(network.encoder[0].conv.in_channels)
    video = torch.zeros(32, channels, *network.sizes[0])
    return choose_lanes(network, video) != PLAIN
