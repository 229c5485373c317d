"""A training is looked at, told to trackers, and left as it is, bit by bit."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mua_decode.commands.main import main
from mua_decode.runs.watch import WatchPlan, gradient_norms, look_at
from mua_decode.types import InputError
from tests.stored_run import write_run
from tests.tiny import TINY

FAST = ["data.pseudo.per_condition=10", "trainer.max_epochs=2", "metric=[mse]", "floor=[]"]


def train(folder: Path, *options: str) -> Path:
    main(["train", *TINY, *FAST, f"run_dir={folder}", *options])
    return folder


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched") / "run"
    return train(folder, "watch.every=1", "watch.gradients=true", "logger=tensorboard")


def test_no_number_of_the_training_changes(watched: Path, tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", "watch.every=0")
    columns = ["epoch", "step", "train/loss", "val/loss", "lr"]
    logs = [pd.read_csv(f / "epochs.csv")[columns] for f in (watched, plain)]
    pd.testing.assert_frame_equal(*logs, check_exact=True)
    one, other = (
        torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (watched, plain)
    )
    assert all(torch.equal(v, other["state_dict"][k]) for k, v in one["state_dict"].items())
    assert not (plain / "watch.csv").exists()
    assert not (plain / "live.png").exists()
    kept = [(f / "results.csv").read_text() for f in (watched, plain)]
    assert kept[0] == kept[1]


def test_what_is_left(watched: Path) -> None:
    table = pd.read_csv(watched / "watch.csv")
    assert list(table["epoch"]) == [0, 1]
    assert table["val/identified"].between(0, 1).all()
    assert table["val/pixel_r"].between(-1, 1).all()
    assert (table[["trials_per_s", "gradient_norm/all", "gradient_norm/autoencoder"]] > 0).all(None)
    image = cv2.imread(str(watched / "live.png"))
    assert image.shape[1] > 700
    assert image.std() > 30  # something is drawn


def test_tensorboard_has_it_all(watched: Path) -> None:
    accumulate = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulate.EventAccumulator(str(watched / "tensorboard"))
    found.Reload()
    tags = found.Tags()
    assert {"val/identified", "val/pixel_r", "lr", "trials_per_s", "gradient_norm/all"} <= set(
        tags["scalars"]
    )
    assert {"watch/frames", "watch/film"} <= set(tags["images"])
    assert found.Images("watch/film")[0].encoded_image_string[:6] == b"GIF89a"
    (text,) = (t for t in tags["tensors"] if t.startswith("watch/conditions"))
    table = found.Tensors(text)[-1].tensor_proto.string_val[0].decode()
    assert table.splitlines()[0] == "condition | identified"
    assert len(table.splitlines()) == 2 + 8
    scores = [e.value for e in found.Scalars("val/pixel_r")]
    assert scores == pytest.approx(pd.read_csv(watched / "watch.csv")["val/pixel_r"], rel=1e-4)


def stored_records(file: bytes) -> Iterator[bytes]:
    """Records of a LevelDB log, as W&B keeps them: blocks of 32 KiB after 7 bytes of its own."""
    at, parts = 7, b""
    while at + 7 <= len(file):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", file[at + 4 : at + 7])
        parts += file[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def test_wandb_has_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``wandb sync`` would upload, read from the files of an offline run."""
    Record = pytest.importorskip("wandb.proto.wandb_internal_pb2").Record
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    run = train(tmp_path / "run", "logger=wandb", "watch.every=2")
    (file,) = (run / "wandb").glob("offline-run-*/*.wandb")
    logged: set[str] = set()
    for data in stored_records(file.read_bytes()):
        record = Record.FromString(data)
        logged |= {i.key or "/".join(i.nested_key) for i in record.history.item}
    assert {"val/identified", "val/pixel_r", "lr", "trials_per_s"} <= logged
    nested = {name.rpartition("/")[0] for name in logged}
    assert {"watch/frames", "watch/film", "watch/conditions"} <= nested
    media = {p.suffix for p in file.parent.rglob("media/**/watch/*") if p.is_file()}
    assert media == {".png", ".gif", ".json"}


def test_a_look_takes_every_condition_and_finds_what_is_planted(tmp_path: Path) -> None:
    _, data = write_run(tmp_path / "run", "data.pseudo.per_condition=10")
    videos = data.mean_videos(None)
    k = data.stimuli.n_conditions
    perfect = look_at(lambda batch: videos[batch.condition], data, n_trials=k)
    shifted = look_at(lambda batch: videos[(batch.condition + 1) % k], data, n_trials=3)
    for seen, right, n in ((perfect, 1.0, k), (shifted, 0.0, 3)):
        table = seen.table.frame
        rows = table[(table["metric"] == "identification") & (table["trial"] == "single_trial")]
        rows = rows[(rows["condition"] == "all") & (rows["segment"] == "all")]
        assert rows["value"].item() == right
        assert len(seen.trial_condition) == len(set(seen.trial_condition)) == n
    more = look_at(lambda batch: videos[batch.condition], data, n_trials=10_000)
    assert len(more.trial_condition) == len(data.dataset("val"))


def test_norms_of_gradients() -> None:
    network = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1, bias=False))
    assert gradient_norms(network) == {"all": 0.0, "0": 0.0, "1": 0.0}
    for layer, gradient in zip(network, ([[3.0, 0.0]], [[4.0]]), strict=True):
        layer.weight.grad = torch.tensor(gradient)
    assert gradient_norms(network) == pytest.approx({"all": 5.0, "0": 3.0, "1": 4.0})


@pytest.mark.parametrize(("option", "said"), [("every", "watch.every"), ("trials", "watch.trials")])
def test_wrong_options_are_named(option: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        WatchPlan(**{option: -1})


def test_rows_of_a_resumed_training_go_on(watched: Path, tmp_path: Path) -> None:
    import shutil

    again = tmp_path / "again"
    shutil.copytree(watched, again)
    before = pd.read_csv(again / "watch.csv")
    train(again, "watch.every=1", "trainer.max_epochs=3", "ckpt_path=auto")
    table = pd.read_csv(again / "watch.csv")
    assert list(table["epoch"]) == [0, 1, 2]
    assert np.allclose(table["val/pixel_r"][:2], before["val/pixel_r"])
