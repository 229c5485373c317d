from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import Batch
from mua_decode.scoring.confidence import Confidence, confidence

K, N = 5, 60


def candidates() -> Tensor:
    return torch.rand(K, 1, 2, 8, 8, generator=torch.Generator().manual_seed(0))


def trials(seed: int, *, known: bool) -> list[Batch]:
    """The decoded video, in the place of the spikes: the own one under noise of any size.

    Not ``known``: the noise hides nothing of how sure it looks, and every third is another's.
    """
    draw = torch.Generator().manual_seed(seed)
    condition = torch.arange(K).repeat(N)
    decoded = condition.clone()
    if not known:
        decoded[::3] = (decoded[::3] + 1) % K
    size = torch.rand(len(condition), generator=draw) * 6 if known else torch.zeros(K * N)
    noise = (
        torch.randn(len(condition), 1, 2, 8, 8, generator=draw) * size[:, None, None, None, None]
    )
    shown, video = candidates()[condition], candidates()[decoded] + noise

    def start() -> Iterator[Batch]:
        for some in torch.arange(len(condition)).split(50):
            yield Batch(video[some], shown[some], condition[some], some)

    return list(start())


def found(*, known: bool) -> Confidence:
    given = trials(1, known=known), trials(2, known=known)
    return confidence(lambda batch: batch.spikes, *given, candidates())


def test_surer_trials_are_righter_and_as_right_as_they_say() -> None:
    sure = found(known=True)
    curve = sure.curve(part="test").set_index("kept")
    assert curve["accuracy"][0.2] > 0.95
    assert curve["accuracy"][1.0] < 0.8
    assert curve["accuracy"][1.0] == sure.credit.mean()
    assert abs(curve["confidence"][1.0] - curve["accuracy"][1.0]) < 0.06
    assert (curve["least_confidence"].diff().dropna() <= 0).all()
    assert curve["n"].tolist() == [round(K * N * s) for s in curve.index]


def test_a_confidence_that_knows_nothing_sorts_nothing() -> None:
    curve = found(known=False).curve(part="test").set_index("kept")
    assert curve["accuracy"][1.0] == 2 / 3
    assert abs(curve["accuracy"][0.5] - 2 / 3) < 0.15
    assert np.ptp(curve["confidence"]) < 0.1
    assert abs(curve["confidence"][1.0] - 2 / 3) < 0.05
