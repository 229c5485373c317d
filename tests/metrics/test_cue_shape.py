import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from mua_decode.metrics import CuePixels, CueShape, PixelCorrelation, Shown
from mua_decode.simulation import Palette, StimulusParameters, TrialTiming, render_stimuli


@pytest.fixture(scope="module")
def video() -> Tensor:
    """Four cues: 5 frames of fixation point, 10 of cue, 5 of dots; (4, 3, 20, 32, 32)."""
    stimuli = render_stimuli(
        StimulusParameters(
            timing=TrialTiming(stimulus_s=0.5),
            palette=Palette(names=["green"], hues_deg=[150]),
            directions_deg=[90],
            variants=1,
        ),
        seed=np.random.SeedSequence(0),
    )
    return torch.from_numpy(stimuli.videos.swapaxes(1, 2).astype(np.float32) / 255)


def shown(video: Tensor) -> Shown:
    return Shown(video, torch.arange(len(video)), video)


def noisy(video: Tensor, sd: float, seed: int = 0) -> Tensor:
    return video + sd * torch.randn(video.shape, generator=torch.Generator().manual_seed(seed))


def test_configs_name_the_metrics() -> None:
    for name, kind in (("cue_shape", CueShape), ("cue_pixels", CuePixels)):
        metric = instantiate(OmegaConf.load(f"conf/metric/{name}.yaml"))
        assert isinstance(metric, kind)
        assert (metric.name, metric.segment) == (name, "cue")
        assert vars(metric) == vars(kind())


def test_true_cues_correlate_fully_and_noise_and_flicker_lower_it(video: Tensor) -> None:
    cue = video[:, :, 5:15]
    metric = CueShape()
    torch.testing.assert_close(metric(cue, shown(cue)), torch.ones(4))
    value = metric(noisy(cue, 0.1), shown(cue))
    torch.testing.assert_close(value, PixelCorrelation()(noisy(cue, 0.1), shown(cue)))
    assert (value < 0.95).all()
    flicker = cue * torch.tensor([0.5, 1.5]).repeat(5)[:, None, None]  # the mean frame is right
    assert (metric(flicker, shown(cue)) < 0.95).all()


def test_other_cues_are_less_alike(video: Tensor) -> None:
    cue = video[:, :, 5:15]
    for metric, best in ((CueShape(), 1.0), (CuePixels(), 0.0)):
        table = torch.stack([metric(cue.roll(i, 0), shown(cue)) for i in range(4)])
        torch.testing.assert_close(table[0], torch.full((4,), best))
        worse = (best - table[1:]).abs() * (1 if metric.higher_is_better else 1 / 1024)
        assert (worse > 0.04).all()


def test_pixels_that_change_sides_are_counted(video: Tensor) -> None:
    cue = video[:, :, 5:15]
    changed = cue.clone()
    changed[:, :, :, 2, 5:12] = 0.7  # background that becomes outline
    changed[:, :, :, 0, 0] = 0.25  # brighter, but not half-way
    torch.testing.assert_close(CuePixels()(changed, shown(cue)), torch.full((4,), 7.0))
    empty = torch.full_like(cue, 20 / 255)
    outline = (cue[:, 0, 0] > CuePixels().threshold(cue)[:, None, None]).sum((1, 2))
    torch.testing.assert_close(CuePixels()(empty, shown(cue)), outline.float())


def test_threshold_is_half_way_also_in_a_noisy_reconstruction(video: Tensor) -> None:
    cue = video[:, :, 5:15]
    clean = CuePixels().threshold(cue)
    assert ((clean > 70 / 255) & (clean < 110 / 255)).all()  # background 20, outline 180
    faint = 0.5 * cue + 0.2
    torch.testing.assert_close(CuePixels().threshold(faint), 0.5 * clean + 0.2)
    unmasked = noisy(cue, 0.1)
    assert (CuePixels().threshold(unmasked) - clean).abs().max() < 10 / 255
    assert (CuePixels()(noisy(cue, 0.1, seed=1), shown(unmasked)) < 20).all()


@pytest.mark.parametrize("what", ["fixation", "constant", "noise", "noise_on_fixation"])
def test_without_an_outline_there_is_no_threshold(video: Tensor, what: str) -> None:
    fixation = video[:, :, :5]
    frames = {
        "fixation": fixation,
        "constant": torch.full_like(fixation, 0.3),
        "noise": torch.rand(fixation.shape, generator=torch.Generator().manual_seed(0)),
        "noise_on_fixation": noisy(fixation, 0.3),
    }[what]
    assert CuePixels().threshold(frames).isnan().all()
    assert CuePixels()(frames, shown(frames)).isnan().all()


def test_undefined_values(video: Tensor) -> None:
    cue = video[:, :, 5:15]
    broken = cue.clone()
    broken[1, 0, 0, 0, 0] = float("nan")
    assert CuePixels()(broken, shown(cue)).isnan().tolist() == [False, True, False, False]
    assert CueShape()(torch.full_like(cue, 0.3), shown(cue)).isnan().all()
    with pytest.raises(ValueError, match="must be positive, found 0 and"):
        CuePixels(min_contrast=0)
