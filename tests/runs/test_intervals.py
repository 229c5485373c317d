"""Intervals that a run calibrated go with what it decodes later, and with nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mua_decode.commands.main import main
from tests.tiny import TINY

NEW = ["recording=simulated_small", "recording.stimulus.frame.resolution=0.5"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("intervals") / "run"
    few = ["trainer.max_epochs=1", "metric=[mse]", "floor=[]"]
    main(["train", *TINY, *few, "data.pseudo.per_condition=64", f"run_dir={folder}"])
    return folder


def decode(run: Path, out: Path, *options: str) -> None:
    main(["decode", *NEW, f"run_dir={run}", f"out={out}", *options])


def refused(run: Path, out: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        decode(run, out, *options)
    assert stopped.value.code == 2
    assert not out.exists()
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_ends_lie_round_what_is_decoded_and_hold(run: Path, tmp_path: Path) -> None:
    decode(run, tmp_path / "bare", "trials=assembled")
    decode(run, tmp_path / "out", "intervals=0.9", "trials=assembled", "batch_size=7")
    found = {n: np.load(tmp_path / "out" / f"{n}.npy") for n in ("videos", "low", "high")}
    np.testing.assert_allclose(found["videos"], np.load(tmp_path / "bare/videos.npy"), atol=1e-5)
    assert (found["low"] <= found["videos"]).all()
    assert (found["videos"] <= found["high"]).all()
    width = float((found["high"] - found["low"])[:, (found["high"] > found["low"]).any(0)].mean())
    stated = json.loads((run / "metrics.json").read_text())["test/interval_width/0.9"]
    assert 0 < width == pytest.approx(stated, rel=0.5)
    about = json.loads((tmp_path / "out/decode.json").read_text())
    assert about["intervals"] == 0.9
    assert about["intervals/calibrated_on"] >= 20
    decode(run, tmp_path / "half", "intervals=0.5", "trials=assembled", "dtype=uint8")
    half = {n: np.load(tmp_path / "half" / f"{n}.npy") for n in ("low", "high")}
    assert half["low"].dtype == np.uint8
    narrow = half["high"].astype(float) - half["low"]
    assert narrow.mean() < 255 * (found["high"] - found["low"]).mean()


def test_intervals_of_other_weights_are_not_taken(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert "choose from 0.5, 0.8, 0.9, 0.95" in refused(run, out, capsys, "intervals=0.7")
    assert "format=npy" in refused(run, out, capsys, "intervals=0.9", "format=gif")
    other = tmp_path / "run"
    shutil.copytree(run, other)
    (other / "intervals.npz").write_bytes((run / "intervals.npz").read_bytes()[:-40])
    assert "holds no intervals" in refused(other, out, capsys, "intervals=0.9")
    with np.load(run / "intervals.npz") as file:
        kept = dict(file)
    for change in ({"residual": -kept["residual"]}, {"residual": kept["residual"][:1]}):
        np.savez(other / "intervals.npz", **kept | change)
        assert "holds no intervals of videos" in refused(other, out, capsys, "intervals=0.9")
    np.savez(other / "intervals.npz", **kept | {"weights": np.zeros(32, np.uint8)})
    line = refused(other, out, capsys, "intervals=0.9")
    assert f"mua-decode evaluate run_dir={other} checkpoint=best" in line
    evaluation = ["evaluate", f"run_dir={other}", "checkpoint=best", "metric=[mse]", "floor=[]"]
    main([*evaluation, "overrides=['data.seed=5']"])  # another split calibrates nothing
    assert "holds none of best.ckpt" in refused(other, out, capsys, "intervals=0.9")
    main(evaluation)  # what the line says, typed
    decode(other, out, "intervals=0.9", "trials=assembled")
    assert (out / "low.npy").is_file()
