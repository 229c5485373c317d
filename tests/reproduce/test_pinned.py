from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from mua_decode.report.paper import PaperTable, Results
from mua_decode.reproduce.pinned import between_protocols, deviation, pinned
from mua_decode.runs.build import build_network
from mua_decode.runs.config import changed_config, compose, load_option
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.instantiate import instantiate

STORED = OmegaConf.load(Path(__file__).with_name("published.yaml"))
TRAINED = ("model", "loss", "data", "task", "trainer", "weights", "early_stopping")


def composed(protocol: str, *options: str) -> DictConfig:
    cfg = compose("reproduce", ["size=paper", *options])
    return changed_config(cfg, cfg.protocols[protocol].overrides)


def parameters(cfg: DictConfig) -> int:
    network = build_network(cfg, n_sites=140, n_bins=45, frame_shape=(3, 32, 32))
    return sum(p.numel() for p in network.parameters())


def test_the_published_size_alone_composes_the_published_protocol() -> None:
    cfg = composed("published")
    assert {k: cfg[k] for k in TRAINED} == {k: STORED[k] for k in TRAINED}
    assert parameters(cfg) == 3_554_915
    assert cfg.protocols.published.fill == "zero"
    assert sum(v for v in cfg.data.sites_per_region.values() if isinstance(v, int)) == 140
    assert (cfg.reproduce.n_folds, list(cfg.retrained), cfg.reproduce.encoding) == (5, [], [])
    assert cfg.reproduce.trials_per_condition is None
    task = instantiate(cfg.task, model=torch.nn.Linear(1, 1), loss=torch.nn.MSELoss())
    optimizer = task.optimizer(task.parameters())
    assert type(optimizer) is torch.optim.Adamax
    assert optimizer.defaults["lr"] == 0.01
    assert optimizer.defaults["weight_decay"] == 0
    schedule = task._scheduler(optimizer)
    assert type(schedule) is torch.optim.lr_scheduler.StepLR
    assert (schedule.step_size, schedule.gamma, cfg.task.scheduler_interval) == (3, 0.85, "epoch")


def test_the_rigorous_protocol_differs_in_its_split_and_its_fill_alone() -> None:
    published, rigorous = composed("published"), composed("rigorous")
    rigorous.data.split.unit = "pseudo_trial"
    assert {k: rigorous[k] for k in TRAINED} == {k: STORED[k] for k in TRAINED}
    assert rigorous.protocols.rigorous.fill == "shuffle"
    assert between_protocols() == "data.split.unit=recorded_trial instead of pseudo_trial"
    assert published.protocols == rigorous.protocols


def test_train_takes_the_same_protocol_from_the_same_place() -> None:
    train = compose("train", ["experiment=zhang2026"])
    rigorous = composed("rigorous")
    assert {k: train[k] for k in TRAINED} == {k: rigorous[k] for k in TRAINED}
    assert composed("published", "experiment=zhang2026") == composed("published")


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ("mlp_decoder", 3_746_484),
        ("shallow_cnn_decoder", 602_115),
        ("inverted_video_unet", 3_551_983),
    ],
)
def test_networks_beside_it_have_the_published_sizes(model: str, number: int) -> None:
    cfg = composed("published")
    cfg.model = load_option("model", model)
    assert parameters(cfg) == number


def test_what_differs_is_found_by_comparison() -> None:
    same = deviation(pinned("published"), "published")
    assert (same.short, same.full) == ("", "")
    reduced = changed_config(compose("reproduce", []), ["data.split.unit=pseudo_trial"])
    options = dict(Fingerprint.of(reduced).options)
    found = deviation(options | {"step.n_folds": 2}, "published")
    assert found.short == (
        "reduced: width 8, kernels 3-3-3-3, 4 epochs, 2 folds, 64 pseudo-trials per condition, "
        "AdamW 0.003 (weight_decay 0.01), 9 more"
    )
    for said in (
        "width 8 instead of width 32",
        "AdamW 0.003 (weight_decay 0.01) instead of Adamax 0.01",
        "schedule warmup_cosine instead of schedule StepLR (step_size 3, gamma 0.85)",
        "best weights instead of last weights",
        "pseudo-trials drawn afresh: yes instead of",
    ):
        assert said in found.full
    for option, value, said in [
        ("trainer.max_epochs", 39, "reduced: 39 epochs"),
        ("trainer.max_epochs", 41, "changed: 41 epochs"),
        ("loss.padding", "reflect", "changed: loss.padding=reflect"),
        ("task.optimizer.lr", 0.02, "changed: Adamax 0.02"),
        ("step.trials_per_condition", 3, "reduced: 3 trials per condition scored"),
        ("data.pseudo.draw", "random_sites", "changed: draw: random_sites"),
    ]:
        assert deviation({**pinned("published"), option: value}, "published").short == said
    for option, value in [("trainer.accelerator", "gpu"), ("data.seed", 3), ("metric.mse", 1)]:
        assert deviation({**pinned("published"), option: value}, "published").short == ""


def test_no_published_value_stands_beside_a_reduced_one_without_the_word(tmp_path: Path) -> None:
    def marked(reduced: dict[str, str], published: str = "published") -> PaperTable:
        results = Results(
            tmp_path, ["published", "rigorous"], published={}, reasons={}, done=[], reduced=reduced
        )
        frame = pd.DataFrame(
            {
                "protocol": ["published", "rigorous"],
                "r": [0.9, 0.8],
                published: [0.99, 0.99],
                "n": 4,
            }
        )
        return results.marked(PaperTable("S1_cue", "Cue", frame, step="decoder"))

    note = "reduced: width 8"
    small = marked({"published/decoder": note, "rigorous/decoder": note})
    assert small.title == "Cue [reduced: width 8]"
    assert small.frame is not None
    assert small.frame["training"].tolist() == [note, note]
    columns = small.frame.columns.tolist()
    assert columns.index("training") == columns.index("published") + 1
    whole = marked({"published/isolate": note})
    assert whole.title == "Cue"
    assert whole.frame is not None
    assert whole.frame["training"].tolist() == ["as published", "published size"]
    one = marked({"rigorous/decoder": note})
    assert one.title == "Cue [rigorous reduced: width 8]"
