import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mua_decode.metrics import MSE, Shown


def test_mse_is_the_mean_square_of_each_trial():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 3, 1, 2, 5, 4, generator=generator)
    metric = instantiate(OmegaConf.load("conf/metric/mse.yaml"))
    assert isinstance(metric, MSE)
    value = metric(x, Shown(y, torch.arange(3), y))
    torch.testing.assert_close(
        value, torch.stack([((a - b) ** 2).mean() for a, b in zip(x, y, strict=True)])
    )


def test_a_broken_trial_is_nan_and_leaves_the_others_alone():
    x = torch.zeros(2, 1, 1, 4, 4)
    x[0, 0, 0, 0, 0] = float("nan")
    value = MSE()(x, Shown(torch.zeros_like(x), torch.zeros(2, dtype=torch.long), x[1:]))
    assert value[0].isnan()
    assert value[1] == 0
