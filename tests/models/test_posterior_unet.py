from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from mua_decode.commands.main import main
from mua_decode.models import PosteriorUNet
from mua_decode.models.floor import Batches, Repeats
from mua_decode.models.posterior import PosteriorDecoder
from mua_decode.runs.run import Run
from tests.tiny import TINY

K, T, N, FRAME = 3, 6, 5, (3, 16, 16)
RATES = {"rate", "common", "shrink", "unit", "number", "row"}
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


def test_weights_from_before_it_knew_its_trials_still_load() -> None:
    model, new = started(), counts(3)[0]
    earlier = {k: v for k, v in model.state_dict().items() if k not in RATES}
    assert len(earlier) == len(model.state_dict()) - len(RATES)
    other = make()
    other.load_state_dict(earlier)
    torch.testing.assert_close(other.eval()(new), model(new), atol=0, rtol=0)
    seen = other.probabilities(new, counts(3)[1])
    torch.testing.assert_close(seen, model.probabilities(new), atol=0, rtol=0)


def test_in_training_a_trial_does_not_meet_its_own_counts() -> None:
    """Two trials of each condition, counts of many sites: seen, each is its condition for sure."""
    draw = torch.Generator().manual_seed(3)
    spikes = torch.poisson(torch.ones(2 * K, T, 40), generator=draw)  # tuned to nothing
    condition = torch.arange(K).repeat(2)
    mean = torch.stack([spikes[condition == k].mean(0) for k in range(K)])
    repeats = Repeats(mean, torch.full((K, 40), 2.0))
    torch.manual_seed(0)
    model = PosteriorUNet(40, T, FRAME, width=2, kernel_sizes=(3, 3, 3, 3), **POSTERIOR).eval()
    model.start(
        batches(spikes, condition),
        batches(*(c[:0] for c in (spikes, condition))),
        videos(),
        repeats,
    )
    own = torch.arange(2 * K), condition
    assert (model.probabilities(spikes)[own] > 0.9).all()
    assert model.probabilities(spikes, condition)[own].mean() < 0.5
    left_out = model.without_own(spikes, condition) - videos()[condition]
    seen = model(spikes) - videos()[condition]
    assert left_out.square().mean() > 10 * seen.square().mean()
    restored = PosteriorUNet(40, T, FRAME, width=2, kernel_sizes=(3, 3, 3, 3), **POSTERIOR).eval()
    restored.load_state_dict(model.state_dict())
    again = restored.probabilities(spikes, condition)
    torch.testing.assert_close(again, model.probabilities(spikes, condition), atol=0, rtol=0)


def test_it_states_the_variance_of_what_it_mixes() -> None:
    model, new = started(), counts(3)[0][:4]
    p = model.probabilities(new)
    apart = videos() - model(new)[:, None]
    expected = (p[:, :, None, None, None, None] * apart.square()).sum(1)
    torch.testing.assert_close(model.variance(new), expected, atol=1e-5, rtol=1e-4)


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


def test_what_it_cannot_show_is_said_before_it_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*(o for o in TINY if not o.startswith("model.")), "trainer.max_epochs=1"]
    options += ["model=posterior_unet", "model.width=2", "metric=[mse]", "floor=[]"]
    for unit, said in (("recorded_trial", False), ("condition", True)):
        main(["train", *options, f"data.split.unit={unit}", f"run_dir={tmp_path / unit}"])
        assert ("conditions of the test part are none of them" in capsys.readouterr().err) == said


def test_a_run_of_it_trains_resumes_and_opens(tmp_path: Path) -> None:
    options = [o for o in TINY if not o.startswith("model.")]
    options += ["model=posterior_unet", "model.width=2", "model.kernel_sizes=[3,3,3,3]"]
    options += ["model.spike_hidden=16", "metric=[mse,identification]", "floor=[posterior]"]
    options += ["task.scheduler=null", "data.pseudo.per_condition=30", "figures.draw=true"]
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
    coverage, curve = (pd.read_csv(whole / f"{n}.csv") for n in ("coverage", "confidence"))
    assert set(coverage["nominal"]) == {0.5, 0.8, 0.9, 0.95}
    assert set(coverage["pixels"]) == {"varying", "all"}
    assert coverage["covered"].between(0, 1).all()
    assert len(curve) == 10
    assert (whole / "figures" / "reliability.png").is_file()
    flat = json.loads((whole / "metrics.json").read_text())
    row = coverage[(coverage["condition"] == "all") & (coverage["pixels"] == "varying")]
    found = float(row.loc[row["nominal"] == 0.9, "covered"].iloc[0])
    assert flat["test/coverage/0.9/varying"] == pytest.approx(found, abs=1e-5)
