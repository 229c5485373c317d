import pytest
import torch

from mua_decode.scoring.stream import decode_stream, decode_subsets


def double(spikes):
    assert len(spikes) <= 4
    return spikes.unsqueeze(1).unsqueeze(-1) * 2


def test_a_stream_is_decoded_in_order_and_in_full_batches():
    spikes = torch.randn(11, 3, 5)
    pieces = [spikes[0], spikes[1:3], spikes[3:10], spikes[10]]
    out = list(decode_stream(double, iter(pieces), batch_size=4))
    assert [len(v) for v in out] == [4, 4, 3]
    torch.testing.assert_close(torch.cat(out), double_all(spikes), rtol=0, atol=0)


def double_all(spikes):
    return spikes.unsqueeze(1).unsqueeze(-1) * 2


def test_a_stream_is_read_only_as_needed():
    read = []

    def source():
        for i in range(100):
            read.append(i)
            yield torch.full((3, 5), float(i))

    stream = decode_stream(double, source(), batch_size=4)
    next(stream)
    assert len(read) == 4
    assert list(decode_stream(double, [], batch_size=4)) == []


def test_subsets_equal_masking_by_hand_and_leave_the_input_alone():
    spikes = torch.randn(5, 3, 6)
    before = spikes.clone()
    keep = torch.rand(7, 6) > 0.5
    fill = torch.randn(6)
    found = torch.empty(7, 5, 1, 3, 6, 1)
    for mask, trial, video in decode_subsets(double, spikes, keep, batch_size=4, fill=fill):
        found[mask, trial] = video
    for m in range(7):
        by_hand = torch.where(keep[m], spikes, fill)
        torch.testing.assert_close(found[m], double_all(by_hand), rtol=0, atol=0)
    torch.testing.assert_close(spikes, before, rtol=0, atol=0)


def test_a_mask_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="bool"):
        next(decode_subsets(double, torch.zeros(2, 3, 4), torch.ones(1, 3, dtype=torch.bool)))
