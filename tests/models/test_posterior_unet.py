from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from mua_decode.commands.main import main
from mua_decode.models import PosteriorUNet
from mua_decode.models.floor import Batches
from mua_decode.models.posterior import PosteriorDecoder
from mua_decode.runs.run import Run
from tests.tiny import TINY

K, T, N, FRAME = 3, 6, 5, (3, 16, 16)
POSTERIOR = {"shrinks": (0.1,), "temperatures": (1.0, 2.0)}


def make(**options: object) -> PosteriorUNet:
    torch.manual_seed(0)
    return PosteriorUNet(N, T, FRAME, width=2, kernel_sizes=(3, 3, 3, 3), **POSTERIOR, **options)


def counts(seed: int, n: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    rates = torch.rand(K, T, N, generator=torch.Generator().manual_seed(5)) * 2 + 0.3
    condition = torch.arange(K).repeat(n)
    return torch.poisson(rates[condition], generator=torch.Generator().manual_seed(seed)), condition


def batches(spikes: torch.Tensor, condition: torch.Tensor) -> Batches:
    def start() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from zip(spikes.split(16), condition.split(16), strict=True)

    return start


def videos() -> torch.Tensor:
    shape = (K, FRAME[0], T, *FRAME[1:])
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def started(**options: object) -> PosteriorUNet:
    model = make(**options)
    model.start(batches(*counts(1)), batches(*counts(2)), videos())
    return model.eval()


def test_it_starts_as_the_posterior_floor() -> None:
    floor = PosteriorDecoder(**POSTERIOR)
    floor.fit(batches(*counts(1)), batches(*counts(2)), videos())
    model, new = started(), counts(3)[0]
    torch.testing.assert_close(model.probabilities(new), floor.posterior(new))
    torch.testing.assert_close(model(new), floor.predict(new), atol=1e-5, rtol=0)
    assert model.encode(new).shape[1] == torch.tensor(model.latent_shape).prod()


def test_weights_bring_their_conditions_with_them() -> None:
    model, new = started(), counts(3)[0]
    other = make()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.eval()(new), model(new), atol=0, rtol=0)
    smaller = PosteriorUNet(N - 1, T, FRAME, width=2, kernel_sizes=(3, 3, 3, 3), **POSTERIOR)
    with pytest.raises(RuntimeError, match="size mismatch for evidence"):
        smaller.load_state_dict(model.state_dict())


def test_a_step_changes_evidence_videos_and_correction() -> None:
    model = started().train()
    before = {k: v.clone() for k, v in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    spikes, condition = counts(4, 4)
    losses = []
    for _ in range(8):
        loss = (model(spikes) - videos()[condition]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    same = [k for k, v in model.named_parameters() if torch.equal(v, before[k])]
    assert [k for k in same if not k.endswith("conv.bias")] == []  # a norm follows: no gradient


def test_it_learns_evidence_that_is_no_naive_bayes() -> None:
    """Sites that repeat one another count again and again for the floor; not after training."""
    spikes, condition = counts(1, 600)
    spikes = torch.cat([spikes[..., :1].repeat(1, 1, 4), spikes[..., 1:2]], 2)
    seen = videos()
    model = make(pace=3.0).eval()
    model.start(batches(spikes, condition), batches(spikes, condition), seen)
    optimizer = torch.optim.Adam([model.evidence_change, model.bias_change], lr=0.01)
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.nll_loss(model.probabilities(spikes).log(), condition)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"pace": -1.0}, "pace: expected"), ({"spike_dropout": 1.0}, "spike_dropout: expected")],
)
def test_wrong_options_are_named(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(**options)


def test_a_run_of_it_trains_resumes_and_opens(tmp_path: Path) -> None:
    options = [o for o in TINY if not o.startswith("model.")]
    options += ["model=posterior_unet", "model.width=2", "model.kernel_sizes=[3,3,3,3]"]
    options += ["model.spike_hidden=16", "metric=[mse,identification]", "floor=[posterior]"]
    options += ["task.scheduler=null"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    main(["train", *options, "trainer.max_epochs=2", f"run_dir={whole}"])
    main(["train", *options, "trainer.max_epochs=1", f"run_dir={parts}"])
    main(["train", *options, "trainer.max_epochs=2", f"run_dir={parts}", "ckpt_path=last"])
    table, resumed = (pd.read_csv(p / "results.csv") for p in (whole, parts))
    pd.testing.assert_frame_equal(resumed, table)
    rows = table[(table["condition"] == "all") & (table["metric"] == "mse")]
    rows = rows[(rows["trial"] == "single_trial") & (rows["segment"] == "all")].set_index("run")
    assert rows.loc["decoder", "value"] < 1.2 * rows.loc["floor/posterior", "value"]
    assert isinstance(Run.open(whole).network, PosteriorUNet)
