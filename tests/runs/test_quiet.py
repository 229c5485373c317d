"""Notices of other libraries do not reach the user, in whatever process."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment
from scipy import stats

from mua_decode.runs.quiet import quietly


@pytest.fixture
def srun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of a cluster, on which nothing was started by its scheduler."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "srun").write_text("#!/bin/sh\n")
    (place / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    return place


def provoke() -> None:
    SLURMEnvironment()
    stats.ttest_1samp(np.full(5, 0.1) + 1e-17, 0.0)


@pytest.mark.usefixtures("srun")
def test_notices_are_silenced_as_long_as_it_lasts() -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with quietly():
            provoke()
        assert found == []
        provoke()  # without it they are there
    said = " ".join(str(w.message) for w in found)
    assert "srun" in said
    assert "Precision loss" in said


@pytest.mark.usefixtures("srun")
def test_a_worker_is_as_quiet_as_its_command(tmp_path: Path) -> None:
    """Its own process: nothing of the filters of the command that starts it reaches it."""
    code = (
        "import mua_decode.sweep.worker as w, lightning_fabric.plugins.environments as e\n"
        "w.open_shared = w.work = lambda *_: e.SLURMEnvironment()\n"
        "w.work_in(%r)" % str(tmp_path)
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
