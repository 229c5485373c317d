import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.nn import UpsampleConv3d

odd = st.sampled_from([1, 3, 5, 7])
scale = st.sampled_from([1, 2, 3, 5])
length = st.integers(1, 5)


def outputs_and_gradients(layer, x, probe):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = layer(x)
    (y * probe).sum().backward()
    return [y.detach(), x.grad, *(p.grad.clone() for p in layer.parameters())]


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.tuples(odd, odd, odd),
    scales=st.tuples(scale, scale, scale),
    size=st.tuples(length, length, length),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    bias=st.booleans(),
    route=st.sampled_from(["auto", "fused"]),
    seed=st.integers(0, 10**6),
)
def test_every_route_gives_the_plain_numbers(kernel, scales, size, channels, bias, route, seed):
    torch.manual_seed(seed)
    plain = UpsampleConv3d(*channels, kernel, scale=scales, bias=bias, route="plain").double()
    fast = UpsampleConv3d(*channels, kernel, scale=scales, bias=bias, route=route).double()
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(2, channels[0], *size, dtype=torch.float64)
    probe = torch.randn_like(plain(x))
    for a, b in zip(
        outputs_and_gradients(plain, x, probe),
        outputs_and_gradients(fast, x, probe),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_the_plain_route_is_upsample_then_conv():
    torch.manual_seed(0)
    layer = UpsampleConv3d(3, 4, (3, 5, 7), scale=(5, 2, 3), route="plain").double()
    direct = torch.nn.Sequential(
        torch.nn.Upsample(scale_factor=(5, 2, 3)),
        torch.nn.Conv3d(3, 4, (3, 5, 7), padding=(1, 2, 3)),
    ).double()
    direct[1].load_state_dict(layer.state_dict())
    x = torch.randn(1, 3, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(x), direct(x), rtol=0, atol=0)


@pytest.mark.parametrize(("kernel", "scales"), [(7, (3, 2, 2)), (5, (3, 2, 2)), (3, (5, 2, 2))])
def test_second_derivatives(kernel, scales):
    torch.manual_seed(0)
    layer = UpsampleConv3d(1, 2, kernel, scale=scales, route="fused").double()
    x = torch.randn(1, 1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (x,), atol=1e-6)


def test_a_bad_option_is_refused():
    with pytest.raises(ValueError, match="odd"):
        UpsampleConv3d(1, 1, 4)
    with pytest.raises(ValueError, match="plain"):
        UpsampleConv3d(1, 1, 3, route="quick")
    with pytest.raises(ValueError, match="scale"):
        UpsampleConv3d(1, 1, 3, scale=0)
