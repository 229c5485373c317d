"""On a real scheduler: preempted jobs go on, and a sweep runs through jobs and a server."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import optuna
import pandas as pd
import pytest

from mua_decode.commands.main import main
from tests.sweep.cluster import postgres, program, slurm
from tests.sweep.test_sweep import SMALL
from tests.tiny import TINY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_requeued_job_equals_an_unbroken_one(tmp_path: Path) -> None:
    sbatch, scontrol = program("sbatch", "slurm-wlm"), program("scontrol", "slurm-wlm")
    squeue = program("squeue", "slurm-wlm")
    options = [*TINY, "floor=[]", "metric=[mse]", "trainer.max_epochs=12"]
    main(["train", *options, f"run_dir={tmp_path / 'unbroken'}"])
    run, log = tmp_path / "run", tmp_path / "job.log"
    words = " ".join(f"'{o}'" for o in options)
    script = tmp_path / "job.sh"
    script.write_text(
        "#!/bin/bash\n#SBATCH --requeue --open-mode=append\n"
        f"#SBATCH --output={log}\n"
        f"srun {sys.executable} -m mua_decode train {words} run_dir={run}\n"
    )
    (tmp_path / "cluster").mkdir()
    with slurm(tmp_path / "cluster") as env:
        done = subprocess.run(
            [sbatch, "--parsable", str(script)], env=env, capture_output=True, text=True, check=True
        )
        job = done.stdout.strip()
        epochs = run / "epochs.csv"
        wait(lambda: epochs.is_file() and len(pd.read_csv(epochs)) >= 3, log)
        subprocess.run([scontrol, "requeue", job], env=env, check=True)  # SIGTERM, then again
        wait((run / "metrics.json").is_file, log, 240)
        command = [squeue, "-h", "-j", job, "-o", "%T"]
        wait(lambda: said(command, env) in ("", "COMPLETED"), log)
    text = log.read_text()
    assert "terminated (SIGTERM)" in text
    columns = ["epoch", "step", "train/loss", "val/loss", "lr"]
    tables = [pd.read_csv(p / "epochs.csv")[columns] for p in (run, tmp_path / "unbroken")]
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)


def test_a_sweep_of_jobs_on_a_database_server(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    (tmp_path / "cluster").mkdir()
    out = tmp_path / "out"
    with postgres() as url, slurm(tmp_path / "cluster") as env:
        jobs = ["launcher=submitit", "launcher.gpus=0", "launcher.cpus=1", "launcher.memory_gb=1"]
        command = [sys.executable, "-m", "mua_decode", "sweep", *SMALL, *jobs, "workers=2"]
        command += ["launcher.time_min=10", "sweep.n_trials=6", f"storage={url}", f"out_dir={out}"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr
        study = optuna.load_study(study_name="sweep", storage=url)
        assert len(study.get_trials()) == 6
    table = pd.read_csv(out / "trials.csv")
    assert set(table["state"]) <= {"finished", "stopped"}
    assert table["attempts"].tolist() == [1] * 6


def said(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, env=env, capture_output=True, text=True).stdout.strip()


def wait(what: object, log: Path, limit_s: float = 120) -> None:
    assert callable(what)
    end = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end, log.read_text() if log.exists() else "no log"
        time.sleep(0.2)
