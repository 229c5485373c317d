"""Small recordings made on the spot, and the real ones where a folder names them."""

from __future__ import annotations

import os
import subprocess

# Read when torch is loaded: on a busy machine, threads that wait should sleep, not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mua_decode.types import Recording, Segment, Session, SiteTable, StimulusSet

# Files of tests run side by side (make test), each in a process with a core of its own.
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


# Files that take longest, first of all: no worker is left alone with one of them in the end.
LONGEST = (
    *("commands/test_train.py", "reproduce/test_reproduce.py", "analyses/encode/test_encode.py"),
    *("analyses/ablate/test_ablate.py", "sweep/test_sweep.py", "commands/test_adopt.py"),
    *("commands/test_errors.py", "models/test_routes.py", "faults/test_share.py"),
    *("runs/test_checkpoints.py", "runs/test_ending.py", "runs/test_variants.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order files by how long they take, the same in every worker."""
    place = {Path(__file__).parent / name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def make_stimuli(
    n_conditions: int = 4,
    *,
    n_frames: int = 6,
    shape: tuple[int, int, int] = (1, 12, 12),
    variants: int = 1,
    frame_s: float = 0.1,
) -> StimulusSet:
    rng = np.random.default_rng(0)
    videos = rng.integers(0, 256, (n_conditions * variants, n_frames, *shape), dtype=np.uint8)
    half = n_frames // 2
    segments = (Segment("first", 0, half, 1.0), Segment("second", half, n_frames, 2.0))
    return StimulusSet(
        videos=videos,
        condition=np.repeat(np.arange(n_conditions), variants),
        conditions=pd.DataFrame({"name": [f"c{k}" for k in range(n_conditions)]}),
        segments=segments if half else segments[1:],
        frame_s=frame_s,
    )


def make_session(
    name: str,
    stimuli: StimulusSet,
    *,
    regions: tuple[str, ...] = ("V4", "V4", "MT"),
    trials: int = 10,
    seed: int = 0,
    tuned: bool = True,
) -> Session:
    """Poisson counts; tuned sites have a rate per condition and bin of their own."""
    rng = np.random.default_rng([seed, len(name)])
    k, t, n = stimuli.n_conditions, stimuli.n_frames, len(regions)
    condition = np.repeat(np.arange(k), trials)
    rate = rng.gamma(2.0, 3.0, (k, t, n)) if tuned else np.full((k, t, n), 5.0)
    counts = rng.poisson(rate[condition]).astype(np.uint16)
    sites = SiteTable(
        site_id=[f"{name}-{i}" for i in range(n)],
        region=list(regions),
        session=[name] * n,
        subject=["A"] * n,
    )
    trials_table = pd.DataFrame({"condition": condition})
    return Session(name=name, sites=sites, trials=trials_table, counts=counts, bin_s=0.1)


@pytest.fixture
def recording() -> Recording:
    stimuli = make_stimuli()
    sessions = tuple(make_session(f"s{i}", stimuli, seed=i, trials=10 + 2 * i) for i in range(3))
    return Recording(name="small", sessions=sessions, stimuli=stimuli)


@pytest.fixture
def build_recording() -> Callable[..., Recording]:
    def build(n_sessions: int = 2, *, trials: int = 10, tuned: bool = True, **stimuli: object):
        shown = make_stimuli(**stimuli)  # type: ignore[arg-type]
        sessions = tuple(
            make_session(f"s{i}", shown, seed=i, trials=trials, tuned=tuned)
            for i in range(n_sessions)
        )
        return Recording(name="built", sessions=sessions, stimuli=shown)

    return build


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings; tests that need it are skipped without it."""
    root = os.environ.get("MUA_DECODE_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("MUA_DECODE_DATA does not name the folder of the real recordings")
    return Path(root).resolve()
