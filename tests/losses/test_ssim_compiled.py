import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.losses import ssim
from mua_decode.losses.ssim_compiled import compiled_applies
from mua_decode.nn.fast.kernels import load_lanes

pytestmark = pytest.mark.skipif(load_lanes() is None, reason="no C++ compiler")


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(3, 40), st.integers(3, 40)),
    window=st.sampled_from([3, 7, 11]),
    padding=st.sampled_from(["valid", "reflect"]),
    frames=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_value_and_gradient_are_those_of_double_precision(size, window, padding, frames, seed):
    window = min(window, min(size) - 1 + min(size) % 2)
    torch.manual_seed(seed)
    true = torch.rand(2, frames, *size)
    near = (true + 0.3 * torch.rand_like(true)).clamp(0, 1)
    results = []
    for dtype in (torch.float32, torch.float64):
        predicted = near.clone().to(dtype).requires_grad_()
        options = {"data_range": 1.0, "window_size": window, "padding": padding}
        value = ssim(predicted, true.to(dtype), **options)
        probe = torch.arange(1.0, value.numel() + 1).view_as(value).to(dtype)
        (value * probe).sum().backward()
        results.append((value.detach().double(), predicted.grad.double()))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-4, atol=1e-4)
    scale = float(results[1][1].abs().max())
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-3, atol=2e-3 * scale + 1e-5)


def test_the_kernel_serves_what_it_can():
    x, y = torch.rand(2, 8, 8), torch.rand(2, 8, 8)
    assert compiled_applies(x, y)
    assert not compiled_applies(x.double(), y)
    assert not compiled_applies(x, y.requires_grad_())
