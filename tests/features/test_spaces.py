"""What a feature space must do whatever it computes."""

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.features import AlexNet, ArrayFeatures, GaborEnergy, NetworkFeatures, PixelFeatures
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
