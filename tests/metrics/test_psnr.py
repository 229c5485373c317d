import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from skimage.metrics import peak_signal_noise_ratio

from mua_decode.metrics import PSNR, Shown


def test_psnr_equals_scikit_image():
    x, y = torch.rand(2, 3, 1, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    value = instantiate(OmegaConf.load("conf/metric/psnr.yaml"))(x, Shown(y, torch.arange(3), y))
    for k in range(3):
        expected = peak_signal_noise_ratio(y[k].numpy(), x[k].numpy(), data_range=1)
        assert value[k].item() == pytest.approx(expected, abs=1e-4)


def test_a_perfect_copy_gets_the_cap_or_infinity_and_nan_stays_nan():
    x = torch.rand(2, 1, 1, 4, 4)
    shown = Shown(x, torch.zeros(2, dtype=torch.long), x[:1])
    assert (PSNR(data_range=1.0, cap_db=60.0)(x, shown) == 60).all()
    assert PSNR(data_range=1.0, cap_db=None)(x, shown).isinf().all()
    broken = x.clone()
    broken[0] = float("nan")
    assert PSNR(data_range=1.0, cap_db=60.0)(broken, shown)[0].isnan()


def test_a_data_range_of_zero_is_refused():
    with pytest.raises(ValueError, match="positive"):
        PSNR(data_range=0, cap_db=None)
