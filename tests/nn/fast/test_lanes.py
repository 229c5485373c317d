"""The compiled kernel against the plain layers in double precision."""

import copy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mua_decode.nn import VideoAutoencoder, fold_batchnorm
from mua_decode.nn.blocks import DecoderBlock, EncoderBlock
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.nn.fast.lane_blocks import Lanes, from_lanes, lane_block, to_lanes
from mua_decode.nn.fast.lane_plan import LayerStruct, plan_spectrum
from mua_decode.nn.fast.lane_routes import choose_lanes

needs_kernel = pytest.mark.skipif(load_lanes() is None, reason="no C++ compiler")
odd = st.sampled_from([1, 3, 5, 7])


@st.composite
def blocks(draw):
    size = draw(st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 9)))
    factor = draw(st.tuples(*[st.integers(1, 3)] * 3))
    channels = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    kernel = draw(odd)
    torch.manual_seed(draw(st.integers(0, 10**6)))
    if draw(st.booleans()):
        window = tuple(min(f, n) for f, n in zip(factor, size, strict=True))
        block = EncoderBlock(*channels, kernel, size=size, window=window, route="plain")
    else:
        full = tuple(n * f for n, f in zip(size, factor, strict=True))
        cut = tuple(draw(st.integers(n - f + 1, n)) for n, f in zip(full, factor, strict=True))
        block = DecoderBlock(
            *channels,
            kernel,
            scale=factor,
            size=cut,
            activation=draw(st.booleans()),
            route="plain",
        )
    for p in (block.norm.weight, block.norm.bias, block.norm.running_mean):
        torch.nn.init.normal_(p)
    return block, torch.randn(draw(st.integers(1, 18)), channels[0], *size) + 0.3


def worst(a, b):
    scale = b.double().abs().max().clamp_min(1e-3)
    return float(((a.double() - b.double()).abs().max() / scale).detach())


@needs_kernel
@settings(max_examples=30, deadline=None)
@given(blocks())
def test_training_matches_the_plain_block(case):
    block, x = case
    exact = copy.deepcopy(block).double()
    batch = len(x)
    size = block.lane_plan.size if isinstance(block, EncoderBlock) else block.size
    assume(batch * size[0] * size[1] * size[2] >= 8)  # the variance of a few is mostly rounding
    a, b = x.clone().requires_grad_(), x.double().requires_grad_()
    expected = exact(b)
    lanes = Lanes("trials", batch)
    found = from_lanes(
        lane_block(to_lanes(a), block.conv, block.norm, block.lane_plan, lanes), batch
    )
    probe = torch.randn_like(expected)
    (expected * probe).sum().backward()
    (found * probe.float()).sum().backward()
    assert worst(found, expected) < 1e-4
    assert worst(a.grad, b.grad) < 1e-3
    ours, theirs = dict(block.named_parameters()), dict(exact.named_parameters())
    # The scale of a single tap is normalised away again: its gradient is what rounding leaves.
    single = block.conv.weight[0].numel() == 1
    for name in [*([] if single else ["conv.weight"]), "norm.weight", "norm.bias"]:
        assert worst(ours[name].grad, theirs[name].grad) < 1e-3, name
    assert not ours["conv.bias"].grad.any()
    assert float(theirs["conv.bias"].grad.abs().max()) < 1e-9
    for name, value in block.named_buffers():
        assert worst(value, dict(exact.named_buffers())[name]) < 1e-5, name


@needs_kernel
@settings(max_examples=30, deadline=None)
@given(blocks(), st.sampled_from(["trials", "positions"]))
@torch.no_grad()
def test_evaluation_matches_the_plain_block(case, kind):
    block, x = case
    block.eval()
    block.norm.running_var.uniform_(0.5, 2)
    expected = copy.deepcopy(block).double()(x.double())
    lanes = Lanes(kind, len(x))
    given_x = to_lanes(x) if kind == "trials" else x
    found = lane_block(given_x, block.conv, block.norm, block.lane_plan, lanes)
    found = from_lanes(found, len(x)) if kind == "trials" else found
    assert found.shape == expected.shape
    assert worst(found, expected) < 1e-4


def autoencoder(**options):
    given = {"width": 4, "kernel_sizes": (5, 3, 3, 3), "time_pools": None}
    return VideoAutoencoder(9, (3, 16, 16), space_pools=(2, 2, 2, 2), **(given | options))


@needs_kernel
@pytest.mark.parametrize("skip", ["none", "add", "concatenate"])
def test_the_network_takes_the_kernel_and_agrees(skip):
    torch.manual_seed(0)
    fast = autoencoder(skip=skip)
    plain = autoencoder(skip=skip, kernels="plain").double()
    plain.load_state_dict(fast.state_dict())
    x = torch.randn(16, 3, 9, 16, 16)
    assert choose_lanes(fast, x).kind == "trials"
    assert worst(fast(x), plain(x.double())) < 1e-4
    fast.eval(), plain.eval()
    with torch.no_grad():
        assert choose_lanes(fast, x[:2]).kind == "positions"
        assert worst(fast(x[:2]), plain(x[:2].double())) < 1e-4
        assert worst(fast.encode(x), plain.encode(x.double())) < 1e-4


@needs_kernel
def test_what_the_kernel_cannot_do_goes_the_pytorch_way():
    network, x = autoencoder(), torch.randn(16, 3, 9, 16, 16)
    assert choose_lanes(network, x).kind == "trials"
    assert choose_lanes(network, x[:2]).kind == "none"
    assert choose_lanes(network, x.double()).kind == "none"
    assert choose_lanes(autoencoder().double(), x).kind == "none"
    assert choose_lanes(autoencoder(kernels="fused"), x).kind == "none"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert choose_lanes(network, x).kind == "none"
    handle = network.encoder[1].conv.register_forward_hook(lambda *_: None)
    assert choose_lanes(network, x).kind == "none"
    handle.remove()
    network.eval()
    assert choose_lanes(network, x).kind == "none"
    synchronised = torch.nn.SyncBatchNorm.convert_sync_batchnorm(autoencoder())
    assert choose_lanes(synchronised, x).kind == "none"


@needs_kernel
def test_cached_weights_follow_the_weights():
    network = autoencoder().eval().requires_grad_(False)
    x = torch.randn(1, 3, 9, 16, 16)
    before = network(x)
    network.encoder[0].conv.weight.mul_(-1)
    after = network(x)
    assert not torch.allclose(before, after)
    network.route = "fused"
    torch.testing.assert_close(after, network(x), rtol=1e-4, atol=1e-4)


def test_without_a_compiler_the_pytorch_route_serves(monkeypatch):
    from mua_decode.nn.fast import kernels

    monkeypatch.setenv("MUA_DECODE_KERNELS", "0")
    kernels.load_lanes.cache_clear()
    try:
        assert kernels.load_lanes() is None
        network, x = autoencoder(), torch.randn(16, 3, 9, 16, 16)
        assert choose_lanes(network, x).kind == "none"
        network(x).sum().backward()
    finally:
        kernels.load_lanes.cache_clear()


def test_a_failed_build_warns_and_falls_back(monkeypatch, tmp_path):
    from mua_decode.nn.fast import kernels

    monkeypatch.setenv("MUA_DECODE_CACHE", str(tmp_path))
    monkeypatch.setattr(kernels, "_FLAGS", ("--no-such-option",))
    monkeypatch.setattr(kernels, "find_compiler", lambda: "/bin/false")
    kernels.load_lanes.cache_clear()
    try:
        with pytest.warns(UserWarning, match="could not be built"):
            assert kernels.load_lanes() is None
    finally:
        kernels.load_lanes.cache_clear()


@pytest.mark.parametrize(("bins", "taps"), [(1, 1), (5, 1), (2, 3), (5, 5), (15, 5), (45, 7)])
def test_a_spectrum_convolves(bins, taps):
    torch.manual_seed(0)
    x, w = torch.randn(bins), torch.randn(taps)
    plan = plan_spectrum(bins, taps)
    a, b, n = plan.forward @ x, plan.taps @ w, plan.real_planes
    y = a * b
    y[n::2] = a[n::2] * b[n::2] - a[n + 1 :: 2] * b[n + 1 :: 2]
    y[n + 1 :: 2] = a[n::2] * b[n + 1 :: 2] + a[n + 1 :: 2] * b[n::2]
    expected = torch.nn.functional.conv1d(x.view(1, 1, -1), w.view(1, 1, -1), padding=taps // 2)
    torch.testing.assert_close(plan.backward @ y, expected.flatten(), rtol=1e-4, atol=1e-5)


@needs_kernel
def test_the_struct_is_the_same_on_both_sides():
    import ctypes

    assert load_lanes().lanes_layer_bytes() == ctypes.sizeof(LayerStruct)


@pytest.mark.parametrize("kernels", ["plain", "fused", "auto"])
def test_folding_keeps_the_numbers_and_the_original(kernels):
    torch.manual_seed(0)
    network = autoencoder(kernels=kernels).double()
    network(torch.randn(8, 3, 9, 16, 16, dtype=torch.float64))
    before = copy.deepcopy(network.state_dict())
    x = torch.randn(2, 3, 9, 16, 16, dtype=torch.float64)
    folded = fold_batchnorm(network)
    torch.testing.assert_close(folded(x), network.eval()(x), rtol=0, atol=1e-10)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
