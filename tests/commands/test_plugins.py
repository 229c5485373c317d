"""A package that registers a recording, a network, a loss, a metric and a question."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("recordings", "models", "losses", "metrics", "analyses")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which pip has installed the template, without network."""
    place = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "examples" / "plugin", place / "source")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    target = place / "target"
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(target), str(place / "source")],
        check=True, capture_output=True,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    condition = np.repeat(np.arange(4), 12)
    rate = rng.gamma(2, 3, (4, 6, 5))
    np.savez(
        place / "data.npz",
        counts=rng.poisson(rate[condition]).astype(np.uint16),
        condition=condition,
        region=np.array(["V4", "V4", "MT", "MT", "MT"]),
        videos=rng.integers(0, 256, (4, 6, 12, 12), dtype=np.uint8),
    )
    return place


def call(place: Path, *args: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), str(place / "target")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "mua_decode", *args],
        capture_output=True, text=True, env=env, cwd=place, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(installed: Path) -> Path:
    done = call(
        installed, "train", "recording=lab_npz", "recording.path=data.npz", "model=lab_linear",
        "model.width=8", "loss=lab_l1", "metric=[mse,lab_contrast]", "floor=[mean_video]",
        "data.pseudo.per_condition=8", "data.batch_size=8", "trainer.max_epochs=1", "run_dir=run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lab_contrast" in done.stderr
    return installed / "run"


def test_plugins_are_listed(installed: Path) -> None:
    lines = call(installed, "plugins").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(KINDS)
    assert all("lab-plugin 0.1.0" in line and "BROKEN" not in line for line in lines)


def test_a_plugin_trains_and_is_asked(installed: Path, trained: Path) -> None:
    flat = json.loads((trained / "metrics.json").read_text())
    assert flat["test/single_trial/lab_contrast"] > 0
    done = call(installed, "lab_timing", "run_dir=run", "part=val")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(trained / "lab_timing" / "lab_timing.csv")
    assert list(table.columns) == ["bin", "mse"]
    assert (table["mse"] > 0).all()
    assert len(table) == 6
    wrong = call(installed, "lab_timing", "run_dir=run", "prt=val")
    assert wrong.returncode == 2
    assert "'prt' is not an option of lab_timing (did you mean 'part'?)" in wrong.stderr


def test_a_stored_config_names_a_plugin_only_while_it_is_installed(
    installed: Path, trained: Path
) -> None:
    # The same code importable, and its entry points gone; with them the run opens, see above.
    info = next((installed / "target").glob("*.dist-info"))
    away = installed / "away"
    shutil.move(info, away)
    try:
        done = call(installed, "evaluate", "run_dir=run", "metric=[mse]")
    finally:
        shutil.move(away, info)
    assert done.returncode == 2
    assert "lab_plugin.reading.read_lab_npz is named by no config" in done.stderr
