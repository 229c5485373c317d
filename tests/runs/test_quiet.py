"""Notices of other libraries do not reach the user, in whatever process."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment
from scipy import stats

from mua_decode.runs.quiet import quietly
from mua_decode.sweep import worker


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
def test_a_worker_is_as_quiet_as_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a process of its own, which the filters of the command that starts it do not reach."""
    monkeypatch.setattr(worker, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(worker, "open_shared", lambda folder: None)
    monkeypatch.setattr(worker, "work", lambda sweep: provoke())
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        worker.work_in("nowhere")
    assert found == []
