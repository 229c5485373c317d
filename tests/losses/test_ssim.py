import numpy as np
import pytest
import torch
from pytorch_msssim import ssim as their_ssim
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from mua_decode.losses import ssim


def frames(shape, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.random(shape)
    return np.clip(true + 0.3 * rng.standard_normal(shape), 0, 1), true


@pytest.mark.parametrize("size", [(32, 32), (11, 40), (33, 17)])
def test_equal_to_scikit_image(size):
    predicted, true = frames((4, *size))
    ours = ssim(torch.tensor(predicted), torch.tensor(true), data_range=1.0)
    for i in range(4):
        theirs = structural_similarity(
            predicted[i],
            true[i],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
        )
        assert float(ours[i]) == pytest.approx(theirs, abs=1e-9)


def test_single_precision_is_within_tolerance():
    predicted, true = frames((6, 32, 32))
    double = ssim(torch.tensor(predicted), torch.tensor(true), data_range=1.0)
    single = ssim(torch.tensor(predicted).float(), torch.tensor(true).float(), data_range=1.0)
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4)


def test_equal_to_pytorch_msssim():
    predicted, true = (torch.tensor(a) for a in frames((5, 3, 32, 32)))
    theirs = their_ssim(predicted, true, data_range=1.0, size_average=False)
    ours = ssim(predicted, true, data_range=1.0).mean(dim=1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_reflect_judges_the_whole_frame():
    predicted, true = frames((20, 24))

    def blur(a):
        return gaussian_filter(a, 1.5, truncate=3.5, mode="reflect")

    mp, mt = blur(predicted), blur(true)
    cov = blur(predicted * true) - mp * mt
    vp, vt = blur(predicted**2) - mp**2, blur(true**2) - mt**2
    c1, c2 = 0.01**2, 0.03**2
    wanted = ((2 * mp * mt + c1) * (2 * cov + c2) / ((mp**2 + mt**2 + c1) * (vp + vt + c2))).mean()
    ours = ssim(torch.tensor(predicted), torch.tensor(true), data_range=1.0, padding="reflect")
    assert float(ours) == pytest.approx(wanted, abs=1e-9)


def test_gradient():
    predicted, true = (torch.tensor(a) for a in frames((2, 7, 8)))
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: ssim(x, true, data_range=1.0, window_size=5, sigma=1.0), (predicted,)
    )


def test_identical_frames_score_one_and_range_matters():
    _, true = frames((3, 16, 16))
    same = torch.tensor(true)
    torch.testing.assert_close(ssim(same, same, data_range=1.0), torch.ones(3).double())
    noise = torch.tensor(frames((3, 16, 16), seed=1)[1])
    assert float(ssim(noise, same, data_range=1.0).mean()) < 0.2
    assert float(ssim(noise, same, data_range=255.0).mean()) > 0.9


def test_bad_arguments_are_refused():
    x = torch.rand(2, 8, 10)
    with pytest.raises(ValueError, match="at most 7 for frames of 8×10"):
        ssim(x, x, data_range=1.0)
    with pytest.raises(ValueError, match="odd"):
        ssim(x, x, data_range=1.0, window_size=4)
    with pytest.raises(ValueError, match="data_range"):
        ssim(x, x, data_range=0.0, window_size=3)
    with pytest.raises(ValueError, match="sigma"):
        ssim(x, x, data_range=1.0, window_size=3, sigma=0.0)
    with pytest.raises(ValueError, match="padding"):
        ssim(x, x, data_range=1.0, window_size=3, padding="same")
    with pytest.raises(ValueError, match="equal shapes"):
        ssim(x, x[:1], data_range=1.0, window_size=3)
