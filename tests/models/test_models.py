from pathlib import Path

import pytest
import torch
import yaml

from mua_decode import models
from mua_decode.models import InvertedVideoUNet, MLPDecoder, ShallowCNNDecoder, VideoUNet

PAPER = (140, 45, (3, 32, 32))
SMALL = {"width": 4, "spike_hidden": 16}


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (VideoUNet, 3_554_915),
        (InvertedVideoUNet, 3_551_983),
        (MLPDecoder, 3_746_484),
        (ShallowCNNDecoder, 602_115),
    ],
)
def test_published_parameter_counts(model, parameters):
    assert count(model(*PAPER)) == parameters


def test_the_published_latent():
    model = VideoUNet(*PAPER)
    assert model.latent_shape == (128, 1, 2, 2)
    assert [block.window for block in model.autoencoder.encoder] == [
        (3, 2, 2),
        (3, 2, 2),
        (5, 2, 2),
        (1, 2, 2),
    ]


@pytest.mark.parametrize("bins", [1, 2, 11, 45, 47])
@pytest.mark.parametrize("frame", [(1, 32, 32), (3, 17, 24), (2, 5, 1)])
@pytest.mark.parametrize("skip", [False, "add", "concatenate"])
def test_any_size_in_and_out(bins, frame, skip):
    torch.manual_seed(0)
    channels, height, width = frame
    decoder = VideoUNet(6, bins, frame, **SMALL, skip_connections=skip, output_skip=bool(skip))
    video = decoder(torch.randn(2, bins, 6))
    assert video.shape == (2, channels, bins, height, width)
    assert 0 <= float(video.detach().min()) <= float(video.detach().max()) <= 1
    inverted = InvertedVideoUNet(6, bins, frame, **SMALL, skip_connections=skip)
    assert inverted(video.detach()).shape == (2, bins, 6)


@pytest.mark.parametrize("bins", [1, 11])
@pytest.mark.parametrize("frame", [(1, 32, 32), (3, 17, 22), (2, 1, 5)])
@pytest.mark.parametrize("model", [MLPDecoder, ShallowCNNDecoder])
def test_baselines_take_any_size(model, bins, frame):
    channels, height, width = frame
    video = model(6, bins, frame)(torch.randn(2, bins, 6))
    assert video.shape == (2, channels, bins, height, width)
    assert 0 <= float(video.detach().min()) <= float(video.detach().max()) <= 1


@pytest.mark.parametrize("skip", [False, "concatenate"])
@pytest.mark.parametrize("bins", [9, 11])
def test_routes_agree_in_output_and_gradients(bins, skip):
    torch.manual_seed(0)
    options = {**SMALL, "skip_connections": skip}
    plain = VideoUNet(5, bins, (3, 16, 12), kernels="plain", **options).double()
    spikes = torch.randn(3, bins, 5, dtype=torch.float64)
    plain(spikes).square().sum().backward()
    for kernels in ("auto", "fused"):
        fast = VideoUNet(5, bins, (3, 16, 12), kernels=kernels, **options).double()
        state = {k: v.clone() for k, v in plain.state_dict().items() if "running" not in k}
        fast.load_state_dict(state, strict=False)
        out = fast(spikes)
        out.square().sum().backward()
        torch.testing.assert_close(out, plain(spikes), rtol=0, atol=1e-10)
        for (name, a), b in zip(plain.named_parameters(), fast.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-10, msg=name)


def test_checkpoints_interchange_between_routes():
    plain = VideoUNet(5, 9, (3, 16, 16), kernels="plain", **SMALL)
    fast = VideoUNet(5, 9, (3, 16, 16), kernels="fused", **SMALL)
    fast.load_state_dict(plain.state_dict())
    plain.load_state_dict(fast.state_dict())


def test_encode_returns_what_the_decoder_gets():
    model = VideoUNet(5, 9, (1, 32, 32), **SMALL).eval()
    spikes = torch.randn(2, 9, 5)
    latent = model.encode(spikes)
    assert latent.shape == (2, 4 * 4 * 2 * 2)
    coarse = model.spike_encoder(spikes)
    torch.testing.assert_close(model.autoencoder.encode(coarse).flatten(1), latent)


def test_adding_skips_costs_no_parameters():
    plain, add = (VideoUNet(5, 9, (1, 32, 32), skip_connections=s) for s in (False, "add"))
    assert count(plain) == count(add)


def test_counts_are_silenced_in_training_only():
    torch.manual_seed(0)
    model = VideoUNet(5, 9, (1, 16, 16), spike_dropout=0.5, **SMALL)
    spikes = torch.randn(4, 9, 5)
    assert not torch.equal(model(spikes), model(spikes))
    model.eval()
    assert torch.equal(model(spikes), model(spikes))
    with pytest.raises(ValueError, match="spike_dropout"):
        VideoUNet(5, 9, (1, 16, 16), spike_dropout=1.0)


def test_a_wrong_shape_fails_at_the_door():
    model = VideoUNet(5, 9, (1, 16, 16), **SMALL)
    with pytest.raises(ValueError, match=r"spikes: expected \(B, T, N\) = \(batch, 9, 5\)"):
        model(torch.randn(2, 5, 9))
    with pytest.raises(ValueError, match="n_sites"):
        VideoUNet(0, 9, (1, 16, 16))
    with pytest.raises(ValueError, match="frame_shape"):
        VideoUNet(5, 9, (16, 16))
    with pytest.raises(ValueError, match="skip_connections"):
        VideoUNet(5, 9, (1, 16, 16), skip_connections="glue")
    with pytest.raises(ValueError, match="kernels"):
        VideoUNet(5, 9, (1, 16, 16), kernels="quick")
    with pytest.raises(ValueError, match="kernel_sizes"):
        VideoUNet(5, 9, (1, 16, 16), kernel_sizes=(3, 3))


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "conf" / "model").glob("*.yaml")), ids=str
)
def test_the_configs_name_real_options(path):
    options = yaml.safe_load(path.read_text())
    package, _, name = options.pop("_target_").rpartition(".")
    if package != "mua_decode.models":
        pytest.skip(f"{path.name} is not a network of mua_decode.models")
    lists = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    getattr(models, name)(5, 4, (1, 8, 8), **lists)
