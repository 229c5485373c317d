from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.data.dataset import EpochSampler, Share
from mua_decode.data.resident import ResidentLoader, _small_integers


def make(recording, **changes):
    given = {"window": None, "split": SplitPlan(), "pseudo": PseudoTrialPlan(per_condition=30)}
    return DecodingData(recording, **(given | {"batch_size": 8} | changes))


@pytest.mark.parametrize("fresh", [True, False])
def test_batches_equal_those_of_the_dataloader(recording, fresh):
    plan = PseudoTrialPlan(per_condition=30, fresh=fresh)
    workers = make(recording, resident=False, pseudo=plan)
    resident = make(recording, resident=True, pseudo=plan)
    assert isinstance(resident.train_dataloader(), ResidentLoader)
    for part in ("train", "val", "test"):
        for epoch in (0, 2):
            loaders = [getattr(d, f"{part}_dataloader")() for d in (workers, resident)]
            for loader in loaders:
                loader.sampler.set_epoch(epoch)
            assert len(loaders[0]) == len(loaders[1])
            number = 0
            for a, b in zip(*loaders, strict=True):
                for x, y in zip(a, b, strict=True):
                    torch.testing.assert_close(x, y, rtol=0, atol=0)
                number += 1
            assert number == len(loaders[1])


def test_videos_and_counts_lie_there_once(build_recording):
    data = make(build_recording(variants=3), pseudo=PseudoTrialPlan(per_condition=500))
    dataset = data.dataset("train")
    loader = ResidentLoader(
        dataset,
        batch_size=8,
        sampler=EpochSampler(dataset, seed=0, shuffle=True),
        drop_last=True,
        device="cpu",
    )
    assert loader._videos.dtype == torch.uint8
    assert loader._counts.dtype == torch.uint8
    assert np.shares_memory(loader._videos.numpy(), data.stimuli.videos)


@pytest.mark.parametrize("drop_last", [True, False])
def test_processes_share_every_batch(recording, drop_last):
    dataset = make(recording).dataset("train")
    n = len(dataset)

    def batches(rank=0, world_size=1):
        share = Share(rank, world_size, 8, drop_last=drop_last)
        sampler = EpochSampler(dataset, seed=0, shuffle=True, share=share)
        loader = ResidentLoader(
            dataset, batch_size=share.own_size, sampler=sampler, drop_last=drop_last, device="cpu"
        )
        found = [batch.row.tolist() for batch in loader]
        assert len(found) == len(loader)
        return found

    assert n % 8 == 4  # the last batch is incomplete
    one = batches()
    parts = [batches(rank, 4) for rank in range(4)]
    # Batch by batch the same trials, none twice and none left out.
    assert [sorted(chain(*p)) for p in zip(*parts, strict=True)] == [sorted(b) for b in one]
    assert sum(map(len, one)) == (n // 8 * 8 if drop_last else n)


def test_an_uneven_last_batch_leaves_no_trial_out():
    order = np.arange(21)
    rows = [Share(rank, 2, 8, drop_last=False).rows(order) for rank in range(2)]
    assert sorted(np.concatenate(rows)) == list(range(21))
    assert [len(r) for r in rows] == [11, 10]
    assert [len(Share(rank, 2, 8, drop_last=True).rows(order)) for rank in range(2)] == [8, 8]


@pytest.mark.parametrize(
    ("highest", "dtype"), [(255, torch.uint8), (256, torch.int16), (40000, torch.int32)]
)
def test_counts_take_the_smallest_integers(highest, dtype):
    assert _small_integers(np.array([0, highest], np.uint16)).dtype == dtype
    assert _small_integers(np.array([0.5], np.float32)).dtype == torch.float32


@pytest.mark.gpu
def test_batches_lie_on_the_gpu(recording):
    dataset = make(recording).dataset("train")
    sampler = EpochSampler(dataset, seed=0, shuffle=True)
    loader = ResidentLoader(dataset, batch_size=8, sampler=sampler, drop_last=True, device="cuda")
    assert next(iter(loader)).video.is_cuda
