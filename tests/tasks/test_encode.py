from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from mua_decode.data import Batch
from mua_decode.tasks import EncodeVideo


class FrameByFrame(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 3)

    def forward(self, video: Tensor) -> Tensor:
        out: Tensor = self.linear(video.permute(0, 2, 1, 3, 4).flatten(2))
        return out


@pytest.fixture
def given() -> Batch:
    generator = torch.Generator().manual_seed(0)
    video = torch.rand(4, 1, 6, 8, 8, generator=generator)
    spikes = video.flatten(3)[:, 0, :, :3] * 2 - 1
    return Batch(spikes, video, torch.zeros(4, dtype=torch.long), torch.arange(4))


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> EncodeVideo:
    torch.manual_seed(0)
    made = EncodeVideo(FrameByFrame(), nn.MSELoss(), optimizer=partial(torch.optim.AdamW, lr=0.05))
    monkeypatch.setattr(made, "log", lambda *args, **kwargs: None)
    return made


def test_the_video_goes_in_and_the_activity_is_the_target(task: EncodeVideo, given: Batch) -> None:
    with torch.no_grad():
        predicted = task(given.video)
        assert predicted.shape == given.spikes.shape
        expected = (predicted - given.spikes).square().mean()
        torch.testing.assert_close(task.training_step(given, 0), expected)


def test_training_fits_a_batch(task: EncodeVideo, given: Batch) -> None:
    optimizer = task.configure_optimizers()
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = task.training_step(given, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
