"""What a feature space must do whatever it computes."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.features import AlexNet, ArrayFeatures, GaborEnergy, NetworkFeatures, PixelFeatures
from mua_decode.features.weights import read_safetensors
from mua_decode.types import InputError, Segment, StimulusSet


def _stimuli(videos: np.ndarray, condition: list[int] | None = None) -> StimulusSet:
    index = np.arange(len(videos)) if condition is None else np.array(condition)
    return StimulusSet(
        videos=videos,
        condition=index,
        conditions=pd.DataFrame({"name": [f"c{k}" for k in range(index.max() + 1)]}),
        segments=(Segment("all", 0, videos.shape[1]),),
        frame_s=0.1,
    )


def _grating(angle_deg: float, wavelength: float, size: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    a = np.deg2rad(angle_deg)
    phase = 2 * np.pi / wavelength * (x * np.cos(a) + y * np.sin(a))
    return (0.5 + 0.4 * phase.sin()).expand(1, 3, size, size).float()


def test_gabor_energy_peaks_at_the_gratings_scale_and_orientation():
    space = GaborEnergy(n_scales=3, n_orientations=4, grid=4, aperture=None)
    for scale, wavelength in enumerate((4, 8, 16)):
        for k in range(4):
            found = space(_grating(45 * k, wavelength))[0, : 3 * 4 * 16].view(3, 4, 16).mean(-1)
            assert int(found.argmax()) == scale * 4 + k


def test_gabor_energy_ignores_phase_and_brightness_but_colour_does_not():
    space = GaborEnergy(n_scales=2, grid=4)
    n_energy = 3 * 2 * 8 * 16
    # The finest scale, whose stride the shift must not matter to.
    a, b = space(_grating(0, 4)), space(_grating(0, 4).roll(1, -1))
    assert (a[:, : 8 * 16] - b[:, : 8 * 16]).abs().max() < 0.05 * a[:, : 8 * 16].abs().max()
    grey, red = torch.full((1, 3, 64, 64), 0.3), torch.full((1, 3, 64, 64), 0.3)
    red[:, 0] = 0.9
    assert torch.allclose(space(grey)[:, :n_energy], space(red)[:, :n_energy], atol=1e-3)
    assert (space(grey) - space(red))[:, n_energy:].abs().max() > 0.1


def test_gabor_energy_too_small_an_image_says_how_many_scales():
    with pytest.raises(InputError, match="at most 2"):
        GaborEnergy(n_scales=4)(torch.rand(1, 1, 8, 8))


@pytest.mark.parametrize("space", [PixelFeatures(size=4), GaborEnergy(n_scales=2, grid=4)])
def test_features_of_stimuli_average_variants_and_pass_gradients(space):
    rng = np.random.default_rng(0)
    videos = rng.integers(0, 256, (4, 3, 1, 16, 16), dtype=np.uint8)
    alone = space.of_stimuli(_stimuli(videos), np.array([0, 2]))
    assert alone.shape[:2] == (4, 2)
    paired = space.of_stimuli(_stimuli(videos, [0, 0, 1, 1]), np.array([0, 2]))
    np.testing.assert_allclose(paired[1], alone[2:].mean(axis=0), rtol=1e-5)
    image = torch.rand(1, 1, 16, 16, requires_grad=True)
    space(image).sum().backward()
    assert image.grad.abs().sum() > 0


def test_alexnet_has_the_published_size():
    with torch.device("meta"):
        assert sum(p.numel() for p in AlexNet().parameters()) == 61_100_840


class _Small(torch.nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, width, 3)
        self.act = torch.nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.first(x))


def test_network_layer_is_read_before_a_relu_in_place(tmp_path):
    source = _Small()
    torch.save(source.state_dict(), tmp_path / "w.pth")
    space = NetworkFeatures(
        network=_Small(), layer="first", weights=str(tmp_path / "w.pth"), size=8
    )
    images = torch.rand(2, 1, 8, 8)
    expected = source.first((images.expand(-1, 3, -1, -1) - space.mean) / space.std)
    assert torch.allclose(space(images), expected.flatten(1))
    assert (space(images) < 0).any()


def test_weight_files_that_do_not_belong_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save(_Small(5).state_dict(), path)
    common = {"layer": "first", "weights": str(path)}
    with pytest.raises(InputError, match="weight file of another network, not _Small"):
        NetworkFeatures(network=_Small(), **common)
    with pytest.raises(InputError, match=r"another network, not AlexNet \(it lacks 'features.0"):
        NetworkFeatures(network=AlexNet(n_classes=2), layer="classifier.4", weights=str(path))
    with pytest.raises(InputError, match="SHA-256 is"):
        NetworkFeatures(network=_Small(5), sha256="00000000", **common)
    with pytest.raises(InputError, match="did you mean 'first'"):
        NetworkFeatures(network=_Small(5), layer="frst", weights=str(path))
    with pytest.raises(InputError, match="weights is not set"):
        NetworkFeatures(network=_Small(5), layer="first")
    torch.save({"first.weight": _Small}, path)  # would run code
    with pytest.raises(InputError, match="refused"):
        NetworkFeatures(network=_Small(5), **common)


def test_user_arrays_must_have_a_row_per_condition(tmp_path):
    stimuli = _stimuli(np.zeros((4, 2, 1, 8, 8), np.uint8))
    np.save(tmp_path / "a.npy", np.arange(8.0).reshape(4, 2))
    space = ArrayFeatures(path=str(tmp_path / "a.npy"), name="semantic")
    assert space.of_stimuli(stimuli, np.array([1]))[2, 0].tolist() == [4, 5]
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"3 rows, expected one per condition \(4\)"):
        ArrayFeatures(path=str(tmp_path / "a.npy")).of_stimuli(stimuli, np.array([1]))


def test_safetensors_are_read_as_the_state_dict_they_hold(tmp_path):
    source = _Small()
    path = tmp_path / "w.safetensors"
    _write_safetensors(path, source.state_dict())
    found = read_safetensors(path)
    assert all(torch.equal(found[k], v) for k, v in source.state_dict().items())
    given = {"network": _Small(), "layer": "act", "size": 8}
    space = NetworkFeatures(weights=str(path), **given)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    other = NetworkFeatures(weights=str(tmp_path / "w.pth"), **given)
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(space(images), other(images))
    for damage in (path.read_bytes()[:-4], b"\xff" * 64, b""):
        path.write_bytes(damage)
        with pytest.raises(InputError, match=r"w\.safetensors: refused, it is damaged"):
            NetworkFeatures(weights=str(path), **given)


def test_tensors_of_a_file_share_no_numbers(tmp_path):
    """Or a thousand names of one megabyte would fill a gigabyte."""
    path = tmp_path / "w.safetensors"
    about = {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}
    text = json.dumps({f"t{k}": about for k in range(3)}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(512))
    with pytest.raises(ValueError, match="t2 lies outside the file, or upon another"):
        read_safetensors(path)
    torch.save({"first.weight": 3}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth: holds no state dict of tensors"):
        NetworkFeatures(network=_Small(), layer="act", weights=str(tmp_path / "w.pth"))


def _write_safetensors(path, state):
    header, blob = {}, b""
    for name, value in state.items():
        raw = value.contiguous().numpy().tobytes()
        about = {"dtype": "F32", "shape": list(value.shape)}
        header[name] = {**about, "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + blob)


def test_several_layers_are_several_spaces_of_one_network():
    network = _Small()
    space = NetworkFeatures(network=network, layer=["first", "act"], untrained=True, size=8)
    first, act = space.spaces()
    assert [s.name for s in (first, act)] == ["network_first", "network_act"]
    assert first.network is act.network is network
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(first(images).clamp(min=0), act(images))
    assert (first(images) < 0).any()
    with pytest.raises(InputError, match="different names"):
        NetworkFeatures(network=network, layer=["first", "first"], untrained=True)


# The shapes of the published one-tower weight file, written out.
ALEXNET = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096),
    "classifier.6": (1000, 4096),
}


def test_alexnet_has_the_layers_of_the_published_weight_file():
    with torch.device("meta"):
        network = AlexNet()
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    weights = {f"{k}.weight": v for k, v in ALEXNET.items()}
    assert shapes == weights | {f"{k}.bias": v[:1] for k, v in ALEXNET.items()}
    usual = AlexNet.layer_names
    assert [usual[k] for k in ("conv1", "conv5", "fc6", "fc7", "fc8")] == [
        "features.0",
        "features.10",
        "classifier.1",
        "classifier.4",
        "classifier.6",
    ]
    modules = dict(network.named_modules())
    assert all(isinstance(modules[usual[f"relu{i}"]], torch.nn.ReLU) for i in range(1, 8))
    assert (modules["features.0"].stride, modules["features.0"].padding) == ((4, 4), (2, 2))
    with pytest.raises(InputError, match="did you mean 'fc6'"):
        NetworkFeatures(network=network, layer="fc66", untrained=True)


@pytest.mark.slow
def test_alexnet_reads_random_weights_of_the_published_shapes(tmp_path):
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in ALEXNET.items():
        scale = np.prod(shape[1:]) ** -0.5
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * scale
        state[f"{name}.bias"] = torch.randn(shape[:1], generator=generator) * 0.1
    path = tmp_path / "alexnet.safetensors"
    _write_safetensors(path, state)
    space = NetworkFeatures(network=AlexNet(), layer=["conv5", "fc6", "fc7"], weights=str(path))
    conv5, fc6, fc7 = space.spaces()
    images = torch.rand(2, 3, 64, 64, generator=generator, requires_grad=True)
    found = fc6(images)
    assert found.shape == (2, 4096)
    assert conv5(images).shape == (2, 256 * 13 * 13)
    # The same in plain calls, by the names of the file.
    f = torch.nn.functional
    x = f.interpolate(images, (224, 224), mode="bilinear", antialias=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (x - mean[:, None, None]) / std[:, None, None]

    def layer(name):
        return state[f"{name}.weight"], state[f"{name}.bias"]

    x = f.max_pool2d(f.relu(f.conv2d(x, *layer("features.0"), stride=4, padding=2)), 3, 2)
    x = f.max_pool2d(f.relu(f.conv2d(x, *layer("features.3"), padding=2)), 3, 2)
    for name in ("features.6", "features.8", "features.10"):
        x = f.relu(f.conv2d(x, *layer(name), padding=1))
    x = f.linear(f.max_pool2d(x, 3, 2).flatten(1), *layer("classifier.1"))
    torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        fc7(images), f.linear(x.relu(), *layer("classifier.4")), rtol=1e-4, atol=1e-4
    )
    found.sum().backward()
    assert images.grad.abs().sum() > 0


def test_a_table_of_the_user_is_matched_by_name(tmp_path):
    stimuli = _stimuli(np.zeros((3, 1, 1, 8, 8), np.uint8))
    path = tmp_path / "meaning.csv"
    path.write_text("image,animal,size\nc2,0,3.5\nc0,1,1\nc1,0,2\nunused,9,9\n")
    space = ArrayFeatures(path=str(path), name="semantic")
    assert space.of_stimuli(stimuli, np.array([0]))[:, 0].tolist() == [[1, 1], [0, 2], [0, 3.5]]
    for text, message in {
        "image,a\nc0,1\nc1,2\n": "no row for image 'c2'.* and 1 of 3 lack one",
        "image,a\nc0,1\nc0,2\nc1,1\nc2,1\n": "image 'c0' stands in it twice",
        "name,a\nc0,1\nc1,2\nc2,3\n": "column 'name' holds more than numbers",
        "a,b\n1,2\n3,4\n": r"has 2 rows, expected one per condition \(3\)",
        "a,b\n1,2\n3,\n5,6\n": "NaN",
    }.items():
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            ArrayFeatures(path=str(path)).of_stimuli(stimuli, np.array([0]))
    path.write_text("a,b\n1,2\n3,4\n5,6\n")
    assert ArrayFeatures(path=str(path)).of_stimuli(stimuli, np.array([0]))[2, 0].tolist() == [5, 6]
    with pytest.raises(InputError, match="no such file"):
        ArrayFeatures(path=str(tmp_path / "nowhere.csv"))


def test_texture_tells_contours_from_the_same_energy_scattered():
    space = GaborEnergy(n_scales=3, grid=4, aperture=None, chroma_weight=0, colour_weight=0)
    plain = GaborEnergy(
        n_scales=3, grid=4, aperture=None, chroma_weight=0, colour_weight=0, texture_weight=0
    )
    carrier = _grating(0, 4) - 0.5
    y = torch.arange(64)
    striped = 0.5 + carrier * (1 + 0.9 * torch.sin(2 * np.pi * y / 16)[:, None])
    even = 0.5 + carrier * np.sqrt(1 + 0.9**2 / 2)
    apart = (space(striped) - space(even)).square().sum()
    assert apart > 3 * (plain(striped) - plain(even)).square().sum()
