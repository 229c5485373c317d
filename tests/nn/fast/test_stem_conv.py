import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mua_decode.nn import StemConv3d

odd = st.sampled_from([1, 3, 5, 7])


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.tuples(odd, odd, odd),
    size=st.tuples(st.integers(1, 7), st.integers(1, 6), st.integers(1, 6)),
    c_in=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_the_gradients_are_the_native_ones(kernel, size, c_in, seed):
    torch.manual_seed(seed)
    layer = StemConv3d(c_in, 3, kernel, route="fused").double()
    x = torch.randn(2, c_in, *size, dtype=torch.float64)
    results = []
    for route in ("plain", "fused"):
        layer.route = route
        layer.zero_grad()
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        y.square().sum().backward()
        results.append([y.detach(), leaf.grad, layer.weight.grad.clone(), layer.bias.grad.clone()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_gradcheck_first_and_second_order():
    torch.manual_seed(0)
    layer = StemConv3d(2, 2, (3, 3, 1), route="fused").double()
    x = torch.randn(1, 2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,))


def test_mixed_precision_stays_near_full_precision():
    torch.manual_seed(0)
    layer = StemConv3d(1, 4, 3, route="fused")
    x = torch.randn(2, 1, 4, 6, 6, requires_grad=True)
    full = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(x)
    mixed.float().sum().backward()
    torch.testing.assert_close(mixed.float(), full, rtol=0.05, atol=0.05)
    assert x.grad.dtype == torch.float32
