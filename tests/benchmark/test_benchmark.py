import json

import imageio.v3 as iio
import pandas as pd
import pytest
import torch

from mua_decode.benchmark import benchmark, command, memory, workloads
from mua_decode.benchmark.figure import speed
from mua_decode.benchmark.floor import step_operations
from mua_decode.benchmark.workloads import Sizes, load_plain
from mua_decode.runs.config import compose
from mua_decode.types import InputError


@pytest.fixture
def small(monkeypatch):
    """The published sizes made tiny."""
    tiny = {"sites": 4, "bins": 1, "frame": 16, "batch": 4}
    monkeypatch.setattr(benchmark, "Sizes", lambda **given: Sizes(**(tiny | given)))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_it_writes_flat_keys_a_table_and_a_figure(small, tmp_path):
    cfg = compose(
        "benchmark",
        [
            f"run_dir={tmp_path}/run",
            "batch=4",
            "rounds=1",
            "latency_rounds=1",
            "threads=1",
            "routes=[fused]",
            "subset_trials=2",
            "measure_memory=false",
            "measure_data=false",
            "scaling={rounds: 1, batch: 4, sites: [3], trials: [2]}",
            "scaling={bins: [], frame: [], batches: []}",
        ],
    )
    flat = command.run(cfg)
    written = json.loads((tmp_path / "run" / "benchmark.json").read_text())
    assert set(written) == set(flat)
    for kind in ("train_step", "forward_backward", "inference", "latency"):
        assert written[f"{kind}/fast_spread"] == 0  # of one round
        plain, fast = (written[f"{kind}/{name}_ms"] for name in ("plain", "fast"))
        assert min(plain, fast) > 0
        assert written[f"{kind}/ratio"] == pytest.approx(plain / fast, rel=1e-3)
        share = {"inference": 1 / 3, "latency": 1 / 3}.get(kind, 1)
        least = 1e-6 * share * step_operations("fused", benchmark.Sizes()) / written["peak_gflops"]
        assert written[f"{kind}/fast_floor_ms"] == pytest.approx(least, rel=1e-3)
        assert written[f"{kind}/fast_utilisation"] == pytest.approx(least / fast, rel=1e-3)
    assert written["subsets/ratio"] > 0
    table = pd.read_csv(tmp_path / "run" / "benchmark.csv")
    assert {"scaling/sites", "scaling/trials", "train_step"} <= set(table["kind"])
    scaling = table[table["kind"] == "scaling/sites"]
    assert scaling["route"].tolist() == ["baseline", "fused"]
    assert set(scaling["sites"]) == {3}
    assert iio.imread(tmp_path / "run" / "figures" / "benchmark.png").std() > 10


def test_without_the_baseline_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(workloads.mua_decode, "__file__", str(tmp_path / "p" / "__init__.py"))
    with pytest.raises(InputError, match="plain baseline"):
        load_plain()


def test_a_gpu_that_is_not_there(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="no CUDA device"):
        command.run(compose("benchmark", ["device=cuda", f"run_dir={tmp_path}"]))


def test_a_wrong_table_is_refused():
    with pytest.raises(InputError, match="speed figure"):
        speed(pd.DataFrame({"kind": []}))


def test_resident_memory_is_read():
    assert memory._resident("VmRSS") > 10
