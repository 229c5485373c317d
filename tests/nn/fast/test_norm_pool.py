import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mua_decode.nn.fast.norm_pool import norm_pool, norm_pool_serves


@st.composite
def cases(draw):
    size = draw(st.tuples(*[st.integers(1, 7)] * 3))
    window = tuple(draw(st.integers(1, min(3, n))) for n in size)
    torch.manual_seed(draw(st.integers(0, 10**6)))
    norm = nn.BatchNorm3d(5, momentum=0.3).double()
    for p in norm.parameters():  # weights of either sign
        nn.init.normal_(p)
    x = torch.randn(3, 5, *size, dtype=torch.float64)
    if draw(st.booleans()):
        x = x.contiguous(memory_format=torch.channels_last_3d)
    return x, norm, window


@settings(max_examples=60, deadline=None)
@given(cases(), st.booleans())
def test_equal_to_the_stock_layers(case, biased):
    x, norm, window = case
    stock = copy.deepcopy(norm)
    partial = any(n % w for n, w in zip(x.shape[2:], window, strict=True))
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True) if biased else None
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    found = norm_pool(ours, bias, norm, window, partial=partial)
    shifted = theirs if bias is None else theirs + bias.view(-1, 1, 1, 1)
    expected = F.relu(F.max_pool3d(stock(shifted), window, ceil_mode=partial))
    probe = torch.randn_like(expected)
    a = torch.autograd.grad(found, (ours, norm.weight, norm.bias), probe, retain_graph=True)
    b = torch.autograd.grad(expected, (theirs, stock.weight, stock.bias), probe)
    for first, second in zip((found, *a), (expected, *b), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-10)
    for first, second in zip(norm.buffers(), stock.buffers(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-10)
    if bias is not None:
        assert not torch.autograd.grad(found, bias, probe)[0].any()


def test_second_derivatives():
    torch.manual_seed(0)
    norm = nn.BatchNorm3d(2).double()
    x = torch.randn(2, 2, 3, 4, 2, dtype=torch.float64, requires_grad=True)

    def step(x, *_):
        return norm_pool(x, None, norm, (2, 2, 2), partial=True)

    assert torch.autograd.gradgradcheck(step, (x, norm.weight, norm.bias))


def test_what_it_leaves_to_the_stock_layers():
    conv, norm, x = nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2), torch.randn(2, 2, 2, 2, 2)
    assert norm_pool_serves(conv, norm, x)
    assert not norm_pool_serves(conv, nn.SyncBatchNorm(2), x)
    assert not norm_pool_serves(conv, nn.BatchNorm3d(2, momentum=None), x)
    assert not norm_pool_serves(conv, nn.BatchNorm3d(2, affine=False), x)
    assert not norm_pool_serves(conv, nn.BatchNorm3d(2, track_running_stats=False), x)
    assert not norm_pool_serves(conv, nn.BatchNorm3d(2).eval(), x)
    assert not norm_pool_serves(conv, norm, x.double())
    handle = conv.register_forward_hook(lambda *_: None)
    assert not norm_pool_serves(conv, norm, x)
    handle.remove()


def test_one_value_per_channel_has_no_variance():
    with pytest.raises(ValueError, match="more than 1 value"):
        norm_pool(torch.zeros(1, 2, 1, 1, 1), None, nn.BatchNorm3d(2), (1, 1, 1), partial=False)
