"""The network against the direct writing of it: same numbers on every route."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.losses import SSIMMSELoss
from mua_decode.models import VideoUNet
from mua_decode.nn import fold_batchnorm
from mua_decode.scoring.stream import decode_subsets

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from plain import PlainLoss, PlainVideoUNet

SMALL = {"width": 2, "kernel_sizes": (5, 3, 3, 3), "spike_hidden": 16}
POOLS = ((3, 2, 2), (3, 2, 2), (1, 2, 2), (1, 1, 1))


def pair(
    sites, bins, frame, *, pools=POOLS, seed=0, kernels="auto", dtype=torch.float64, **options
):
    torch.manual_seed(seed)
    plain = PlainVideoUNet(sites, bins, frame, pools=pools, **options).to(dtype)
    fast = VideoUNet(
        sites,
        bins,
        frame,
        time_pools=tuple(p[0] for p in pools),
        space_pools=tuple(p[1:] for p in pools),
        kernels=kernels,
        **options,
    ).to(dtype)
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def step(model, loss, spikes, video):
    model.zero_grad()
    value = loss(model(spikes), video)
    value.backward()
    return value.detach(), {n: p.grad.clone() for n, p in model.named_parameters()}


def test_the_published_network_and_checkpoints_both_ways():
    plain, fast = PlainVideoUNet(140, 45, (3, 32, 32)), VideoUNet(140, 45, (3, 32, 32))
    assert sum(p.numel() for p in plain.parameters()) == 3_554_915
    fast.load_state_dict(plain.state_dict())
    plain.load_state_dict(fast.state_dict())
    shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (plain, fast)]
    assert shapes[0] == shapes[1]


@settings(max_examples=8, deadline=None)
@given(
    kernels=st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 4),
    pools=st.tuples(*[st.tuples(*[st.integers(1, 3)] * 3)] * 4),
    rest=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2)),
    channels=st.integers(1, 3),
    route=st.sampled_from(["auto", "fused", "plain", "compiled"]),
    seed=st.integers(0, 10**6),
)
def test_outputs_and_gradients_to_1e_10(kernels, pools, rest, channels, route, seed):
    pools = tuple(
        tuple(p if math.prod(q[a] for q in pools[: i + 1]) <= 6 else 1 for a, p in enumerate(pool))
        for i, pool in enumerate(pools)
    )
    size = [r * math.prod(pool[a] for pool in pools) for a, r in enumerate(rest)]
    options = {"width": 2, "kernel_sizes": kernels, "spike_hidden": 8}
    frame = (channels, size[1], size[2])
    plain, fast = pair(4, size[0], frame, pools=pools, seed=seed, kernels=route, **options)
    spikes = torch.randn(3, size[0], 4, dtype=torch.float64)
    probe = torch.randn(3, channels, *size, dtype=torch.float64)
    results = []
    for model in (plain, fast):
        out = model(spikes)
        grads = torch.autograd.grad((out * probe).sum(), list(model.parameters()))
        results.append([out.detach(), *grads])
    scale = max(1.0, max(float(g.abs().max()) for g in results[0]))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize("normalisation", ["sum", "mean"])
def test_the_loss_and_its_gradient_match_the_loop_over_frames(normalisation):
    torch.manual_seed(0)
    predicted = torch.rand(3, 3, 5, 16, 20, requires_grad=True)
    true = torch.rand(3, 3, 5, 16, 20)
    weights = [1.0, 2.0, 2.0, 5.0, 5.0]
    ours = SSIMMSELoss(weights, data_range=1.0, normalisation=normalisation)
    values = []
    for loss in (PlainLoss(weights, normalisation=normalisation), ours):
        value = loss(predicted, true)
        values.append((value.detach(), *torch.autograd.grad(value, predicted)))
    for a, b in zip(*values, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(a.abs().max()))


def test_single_precision_is_as_exact_as_plain():
    plain, fast = pair(6, 9, (3, 16, 16), dtype=torch.float32, **SMALL)
    exact, _ = pair(6, 9, (3, 16, 16), **SMALL)
    spikes, video = torch.randn(16, 9, 6), torch.rand(16, 3, 9, 16, 16)
    loss = SSIMMSELoss([1.0] * 9, data_range=1.0, normalisation="sum")
    _, truth = step(exact, loss, spikes.double(), video.double())
    _, ours = step(fast, loss, spikes, video)
    _, theirs = step(plain, loss, spikes, video)

    def error(grads, name):
        return float((grads[name] - truth[name]).norm() / truth[name].norm())

    for name in truth:
        if truth[name].norm() > 1e-6 * max(g.norm() for g in truth.values()):
            assert error(ours, name) < 10 * error(theirs, name) + 1e-4, name


def test_a_short_training_run_ends_within_the_spread_of_plain_seeds():
    torch.manual_seed(0)
    spikes = torch.randn(16, 9, 6)
    video = torch.rand(16, 3, 9, 16, 16)
    loss = SSIMMSELoss([1.0] * 9, data_range=1.0, normalisation="mean")

    def train(model):
        optimiser = torch.optim.Adamax(model.parameters(), lr=0.01)
        for _ in range(12):
            value, _ = step(model, loss, spikes, video)
            optimiser.step()
        return float(value)

    ends = []
    for seed in range(3):
        plain, fast = pair(6, 9, (3, 16, 16), seed=seed, dtype=torch.float32, **SMALL)
        ends.append((train(plain), train(fast)))
    plain_ends = [a for a, _ in ends]
    spread = max(plain_ends) - min(plain_ends)
    assert all(abs(a - b) <= spread for a, b in ends)


@pytest.mark.parametrize("route", ["plain", "fused", "auto"])
@pytest.mark.parametrize(("bins", "frame"), [(1, (3, 16, 16)), (11, (1, 32, 20)), (7, (3, 13, 17))])
def test_other_sizes_and_one_bin(route, bins, frame):
    torch.manual_seed(0)
    options = {**SMALL, "kernel_sizes": (3, 3, 3, 3)}
    model = VideoUNet(5, bins, frame, kernels=route, **options)
    model(torch.randn(16, bins, 5)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    exact = VideoUNet(5, bins, frame, kernels="plain", **options).double()
    exact.load_state_dict(model.state_dict())
    spikes = torch.randn(16, bins, 5)
    model.eval(), exact.eval()
    with torch.no_grad():
        for part in (spikes, spikes[:1]):
            assert (model(part) - exact(part.double())).abs().max() < 1e-4


@pytest.mark.parametrize("route", ["plain", "fused", "auto"])
@pytest.mark.parametrize("folded", [False, True])
def test_export_gives_the_same_numbers(route, folded):
    torch.manual_seed(0)
    model = VideoUNet(5, 9, (3, 12, 12), kernels=route, **SMALL)
    model(torch.randn(8, 9, 5))
    model.eval()
    if folded:
        model = fold_batchnorm(model)
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(
        model, (torch.randn(2, 9, 5),), dynamic_shapes={"spikes": {0: batch}}
    ).module()
    for n in (1, 5, 16):
        spikes = torch.randn(n, 9, 5)
        with torch.no_grad():
            torch.testing.assert_close(exported(spikes), model(spikes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("route", ["plain", "auto"])
def test_masked_trials_in_batches_equal_one_at_a_time(route):
    torch.manual_seed(0)
    model = VideoUNet(6, 9, (3, 12, 12), kernels=route, **SMALL).eval()
    spikes = torch.randn(3, 9, 6)
    keep = torch.tensor([[i >> r & 1 for r in (0, 0, 1, 1, 2, 2)] for i in range(8)]).bool()
    for mask, trial, video in decode_subsets(model, spikes, keep, batch_size=16):
        with torch.no_grad():
            alone = model(spikes[trial[:1]] * keep[mask[0]])
        torch.testing.assert_close(video[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("route", ["plain", "auto"])
def test_distributed_training_step(route, tmp_path):
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    if not dist.is_available():
        pytest.skip("no torch.distributed")
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        _, model = pair(5, 9, (3, 12, 12), kernels=route, dtype=torch.float32, **SMALL)
        spikes, video = torch.randn(16, 9, 5), torch.rand(16, 3, 9, 12, 12)
        loss = SSIMMSELoss([1.0] * 9, data_range=1.0, normalisation="sum")
        _, alone = step(model, loss, spikes, video)
        parallel = DistributedDataParallel(model)
        parallel.zero_grad()
        loss(parallel(spikes), video).backward()
        for name, p in model.named_parameters():
            torch.testing.assert_close(p.grad, alone[name], rtol=1e-3, atol=1e-4)
    finally:
        dist.destroy_process_group()
