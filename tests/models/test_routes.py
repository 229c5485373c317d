"""What every route of the decoder has to offer: any size, double precision, export, DDP."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mua_decode.losses import SSIMMSELoss
from mua_decode.models import VideoUNet
from mua_decode.nn import fold_batchnorm
from mua_decode.nn.fast.kernels import load_lanes
from mua_decode.nn.fast.lane_routes import choose_lanes
from mua_decode.scoring.stream import decode_subsets

ROUTES = ("plain", "fused", "auto")
SMALL = {"width": 4, "spike_hidden": 16}
needs_kernel = pytest.mark.skipif(load_lanes() is None, reason="no C++ compiler")


def decoder(kernels, *, bins=9, frame=(3, 16, 16), sites=5):
    torch.manual_seed(0)
    return VideoUNet(sites, bins, frame, kernels=kernels, **SMALL)


def twins(kernels, **sizes):
    """A plain decoder in double precision and one of another route with its weights."""
    plain, other = decoder("plain", **sizes).double(), decoder(kernels, **sizes)
    other.load_state_dict(plain.state_dict())
    return plain, other


@pytest.mark.parametrize("bins", [1, 2, 10, 47])
@pytest.mark.parametrize("frame", [(1, 13, 17), (3, 32, 24), (2, 5, 1)])
def test_double_precision_at_odd_sizes(bins, frame):
    plain, fused = twins("fused", bins=bins, frame=frame)
    fused.double()
    spikes = torch.randn(2, bins, 5, dtype=torch.float64)
    expected, found = plain(spikes), fused(spikes)
    probe = torch.randn_like(expected)
    (expected * probe).mean().backward()
    (found * probe).mean().backward()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    for (name, a), b in zip(fused.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-10, msg=name)
    for a, b in zip(fused.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@needs_kernel
@pytest.mark.parametrize("bins", [1, 2, 10])
@pytest.mark.parametrize("frame", [(1, 13, 17), (3, 32, 24)])
def test_the_compiled_route_at_odd_sizes(bins, frame):
    plain, compiled = twins("auto", bins=bins, frame=frame)
    spikes = torch.randn(16, bins, 5)
    video = torch.empty(16, frame[0], bins, *frame[1:])
    assert choose_lanes(compiled.autoencoder, video).kind == "trials"
    expected, found = plain(spikes.double()), compiled(spikes)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)
    found.square().mean().backward()
    assert all(bool(p.grad.isfinite().all()) for p in compiled.parameters())
    plain.eval(), compiled.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            compiled(spikes[:1]).double(), plain(spikes[:1].double()), rtol=0, atol=1e-4
        )


@pytest.mark.parametrize("kernels", ROUTES)
def test_site_masks(kernels):
    plain, other = twins(kernels)
    plain.eval(), other.eval()
    spikes, keep = torch.randn(3, 9, 5), torch.rand(4, 5) < 0.5
    parts = list(decode_subsets(other, spikes, keep, batch_size=5))
    assert sum(len(video) for *_, video in parts) == 12
    for mask, trial, video in parts:
        masked = spikes[trial] * keep[mask].unsqueeze(1)
        expected = plain(masked.double())
        torch.testing.assert_close(video.double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernels", ROUTES)
@pytest.mark.parametrize("folded", [False, True])
def test_the_exported_program_gives_the_same_video(kernels, folded):
    model = decoder(kernels).eval()
    model = fold_batchnorm(model) if folded else model
    spikes = torch.randn(4, 9, 5)
    batch = {"spikes": {0: torch.export.Dim("batch", min=1, max=1024)}}
    program = torch.export.export(model, (spikes,), dynamic_shapes=batch).module()
    with torch.no_grad():
        for number in (1, 4, 16):
            given = torch.randn(number, 9, 5)
            torch.testing.assert_close(program(given), model(given), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernels", ROUTES)
def test_one_graph_for_compilers(kernels):
    model = decoder(kernels)
    spikes = torch.randn(4, 9, 5)
    traced = torch.compile(model, backend="aot_eager", fullgraph=True)
    traced(spikes).square().mean().backward()
    found = [p.grad.clone() for p in model.parameters()]
    plain, _ = twins("plain")
    plain(spikes.double()).square().mean().backward()
    for (name, p), grad in zip(plain.named_parameters(), found, strict=True):
        torch.testing.assert_close(grad.double(), p.grad, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ROUTES)
def test_compiled_by_inductor(kernels):
    model = decoder(kernels)
    spikes = torch.randn(4, 9, 5)
    out = torch.compile(model)(spikes)
    out.square().mean().backward()
    plain, _ = twins("plain")
    expected = plain(spikes.double())
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=1e-4)
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters())


def test_function_transforms():
    model = decoder("fused").eval()
    spikes = torch.randn(2, 9, 5)
    state = dict(model.named_parameters()) | dict(model.named_buffers())

    def energy(given):
        return torch.func.functional_call(model, state, (given,)).square().sum()

    leaf = spikes.clone().requires_grad_()
    (expected,) = torch.autograd.grad(energy(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(energy)(spikes), expected, rtol=1e-3, atol=1e-4)


def _train(rank, kernels, folder):
    torch.set_num_threads(1)
    # A file to meet in: no port that another process may take, no server that ends too early.
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    loss = SSIMMSELoss([1.0] * 9, data_range=1.0, normalisation="mean")
    model = decoder(kernels)
    wrapped = DistributedDataParallel(model)
    optimiser = torch.optim.SGD(wrapped.parameters(), lr=0.1)
    spikes, video = batch_of(rank)
    value = loss(wrapped(spikes), video)
    value.backward()
    grads = [p.grad.clone() for p in model.parameters()]
    optimiser.step()
    torch.save([value.detach(), grads, list(model.state_dict().values())], f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def batch_of(rank):
    generator = torch.Generator().manual_seed(rank)
    spikes = torch.randn(16, 9, 5, generator=generator)
    return spikes, torch.rand(16, 3, 9, 16, 16, generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["fused", "auto"])
def test_two_processes_share_their_gradients(kernels, tmp_path):
    mp.spawn(_train, args=(kernels, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    loss = SSIMMSELoss([1.0] * 9, data_range=1.0, normalisation="mean")
    grads = []
    for rank, (value, *_) in enumerate((first, second)):
        alone: nn.Module = decoder(kernels)
        spikes, video = batch_of(rank)
        expected = loss(alone(spikes), video)
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=1e-5, atol=1e-6)
        grads.append([p.grad for p in alone.parameters()])
    for a, b, one, two in zip(first[1], second[1], *grads, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, (one + two) / 2, rtol=1e-3, atol=1e-5)
    names = list(decoder(kernels).state_dict())
    for name, a, b in zip(names, first[2], second[2], strict=True):
        assert "running" in name or torch.equal(a, b), name
