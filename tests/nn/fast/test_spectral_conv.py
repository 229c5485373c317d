import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mua_decode.nn.fast import spectral_conv
from mua_decode.nn.fast.spectral_conv import plan_products, spectral_conv3d, spectral_pays

taps = st.integers(1, 7)


@st.composite
def layers(draw):
    kernel = draw(st.tuples(taps, taps, taps))
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = draw(st.tuples(*[st.integers(1, 8)] * 3))
    assume(all(n + 2 * p >= k for n, p, k in zip(size, padding, kernel, strict=True)))
    c_in, c_out = draw(st.sampled_from([1, 3, 9])), draw(st.sampled_from([1, 4, 17]))
    torch.manual_seed(draw(st.integers(0, 10**6)))
    x = torch.randn(draw(st.integers(1, 3)), c_in, *size, dtype=torch.float64)
    weight = torch.randn(c_out, c_in, *kernel, dtype=torch.float64)
    return x, weight, torch.randn(c_out, dtype=torch.float64), padding


@settings(max_examples=60, deadline=None)
@given(layers(), st.booleans(), st.booleans())
def test_equal_to_the_native_convolution(layer, biased, small_groups):
    x, weight, bias, padding = layer
    leaves = [t.clone().requires_grad_() for t in (x, weight, bias)]
    inputs = leaves if biased else leaves[:2]
    expected = F.conv3d(*inputs, padding=padding)
    probe = torch.randn_like(expected)
    before = spectral_conv._SCRATCH
    spectral_conv._SCRATCH = 1 if small_groups else before
    try:
        found = spectral_conv3d(leaves[0], leaves[1], leaves[2] if biased else None, padding)
        ours = torch.autograd.grad(found, inputs, probe)
    finally:
        spectral_conv._SCRATCH = before
    theirs = torch.autograd.grad(expected, inputs, probe)
    for a, b in zip((found, *ours), (expected, *theirs), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_a_gradient_to_the_weight_alone():
    x = torch.randn(2, 2, 5, 4, 4, dtype=torch.float64)
    weight = torch.randn(3, 2, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(spectral_conv3d(x, weight, None, (1, 1, 1)).sum(), weight)
    (expected,) = torch.autograd.grad(F.conv3d(x, weight, padding=1).sum(), weight)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_second_derivatives():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 3, 2, 1, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, dtype=torch.float64, requires_grad=True)

    def layer(*given):
        return spectral_conv3d(*given, (1, 1, 0))

    assert torch.autograd.gradgradcheck(layer, (x, weight, bias))


@pytest.mark.parametrize(("bins", "kernel", "planes"), [(45, 7, 71), (15, 5, 25), (1, 3, 2)])
def test_planes_of_the_published_layers(bins, kernel, planes):
    assert plan_products(bins, kernel, kernel // 2, torch.float32).taps.shape == (planes, kernel)


def test_where_it_serves():
    x, weight = torch.zeros(8, 3, 45, 32, 32), torch.zeros(32, 3, 7, 7, 7)
    assert spectral_pays(x, weight, (3, 3, 3))
    assert not spectral_pays(x[:, :, :1], weight, (3, 3, 3))
    assert not spectral_pays(x[:, :, :, :2, :2], weight, (3, 3, 3))
    assert not spectral_pays(x[:0], weight, (3, 3, 3))
    assert not spectral_pays(x.bfloat16(), weight.bfloat16(), (3, 3, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not spectral_pays(x, weight, (3, 3, 3))
