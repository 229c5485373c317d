import torch

from mua_decode.benchmark import epoch


class Steps:
    """Stands for a network: notes the batches it is trained on."""

    seen: list = []  # noqa: RUF012

    def __init__(self, *_: object) -> None:
        self.spikes = self.video = torch.empty(0)

    def step(self):
        self.seen.append((tuple(self.spikes.shape), tuple(self.video.shape), self.video.dtype))


def test_all_loaders_give_the_same_kind_of_batch(monkeypatch):
    monkeypatch.setattr(epoch, "Workload", Steps)
    found = epoch.epoch_times(variants=1, per_condition=6, rounds=1, steps=1)
    assert len(Steps.seen) == 3 * 2
    assert set(Steps.seen) == {((64, 45, 140), (64, 3, 45, 32, 32), torch.float32)}
    for name in ("laid_out", "loader", "resident"):
        assert found[f"{name}_s"] > 0
        assert found[f"{name}_step_s"] > 0
    assert found["loader_ratio"] > 0
    assert found["resident_step_ratio"] > 0
    assert found["laid_out_mib"] > 4 * found["videos_mib"]
