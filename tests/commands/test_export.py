from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mua_decode.api import load_run
from mua_decode.commands.main import main
from mua_decode.data import Population
from mua_decode.runs import export
from tests.stored_run import write_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "a"
    write_run(path, "model.output_skip=true", "model.skip_connections=add")
    return path


def counts_for(folder: Path, number: int) -> tuple[np.ndarray, np.ndarray, Population]:
    """Random counts, and the same standardised by the sidecar's numbers alone."""
    decoder = load_run(folder)
    shape = (number, decoder.n_bins, len(decoder.sites))
    counts = np.random.default_rng(0).poisson(4.0, shape)
    return counts, decoder.decode(counts), decoder.population


def standardised(counts: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    mean, std = (np.array(about["population"][n], np.float32) for n in ("mean", "std"))
    return ((counts - mean) / std).astype(np.float32)


def test_the_exported_program_is_the_network(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "decoder.pt2"
    main(["export", f"run_dir={folder}", "format=torch", f"out={out}"])
    about = json.loads((tmp_path / "made" / "decoder.pt2.json").read_text())
    assert 0 <= about["check"]["largest_difference"] <= 1e-4
    assert about["population"]["sites"]["site_id"] == load_run(folder).sites.site_id.tolist()
    program = torch.export.load(out).module()
    for number in (1, 5):
        counts, expected, _ = counts_for(folder, number)
        with torch.no_grad():
            video = program(torch.from_numpy(standardised(counts, about))).numpy()
        np.testing.assert_allclose(video, expected, atol=1e-4)
    assert not any("batch_norm" in str(n.target) for n in program.graph.nodes if "3d" in n.name)
    assert sorted(p.name for p in out.parent.iterdir()) == ["decoder.pt2", "decoder.pt2.json"]


def test_onnx_gives_the_same_video_for_any_batch(folder: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path / "decoder.onnx"
    main(["export", f"run_dir={folder}", f"out={out}"])
    about = json.loads((tmp_path / "decoder.onnx.json").read_text())
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == [about["input"]["name"]]
    for number in (1, 5):
        counts, expected, population = counts_for(folder, number)
        (video,) = session.run(None, {"spikes": standardised(counts, about)})
        assert list(video.shape) == [number, *about["output"]["shape"][1:]]
        np.testing.assert_allclose(video, expected, atol=1e-4)
        assert Population.from_json(about["population"]).to_json() == population.to_json()


def test_a_wrong_copy_is_not_written(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoilt(network: torch.nn.Module) -> torch.nn.Module:
        with torch.no_grad():
            next(network.parameters()).add_(1.0)
        return network

    monkeypatch.setattr(export, "fold_batchnorm", lambda n: spoilt(copy.deepcopy(n)))
    with pytest.raises(SystemExit) as stopped:
        main(["export", f"run_dir={folder}", "format=torch", f"out={tmp_path / 'd.pt2'}"])
    assert stopped.value.code == 1
    assert "differs from the run's by" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["format=tflite", "out=x.tflite"], "format=tflite: choose from onnx, torch"),
        ([], "out is not set; give a file: out=FILE.onnx"),
        (["out=x.pt2"], "format=onnx writes a file: out=FILE.onnx, found x.pt2"),
    ],
)
def test_wrong_options_say_so(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["export", f"run_dir={folder}", *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_package_names_the_command_that_installs_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SystemExit):
        main(["export", f"run_dir={folder}", "out=x.onnx"])
    said = " ".join(capsys.readouterr().err.split())
    assert "needs onnxscript, which is not installed: pip install 'mua-decode[export]'" in said


_LIMITED = """
import resource, sys
from mua_decode.api import load_run
from mua_decode.commands import export
from mua_decode.commands.main import main
import torch.export
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
folder, out, room = sys.argv[1:]
main(["export", f"run_dir={folder}", "format=torch", f"out={folder}/first.pt2"])  # loads the rest
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(room), resource.RLIM_INFINITY))
main(["export", f"run_dir={folder}", "format=torch", f"out={out}"])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_where_memory_ends_one_line_says_so(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "decoder.pt2"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder), str(out), str(100 << 20)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert "not enough memory, of which this process may fill" in said
    assert said.endswith("export is not begun with less than 256 MiB of memory")
    assert list(tmp_path.iterdir()) == []


_FULL = """
import resource, signal, sys
from mua_decode.commands.main import main
folder, out, room = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), resource.RLIM_INFINITY))
main(["export", f"run_dir={folder}", "format=torch", f"out={out}"])
"""


@pytest.mark.parametrize("room", [500, 20_000, 170_000])
def test_a_full_disk_is_one_line(folder: Path, tmp_path: Path, room: int) -> None:
    out = tmp_path / "decoder.pt2"
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(folder), str(out), str(room)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith(f"mua-decode: out: {out} cannot be written: ")
    )
    assert list(tmp_path.iterdir()) == []


def test_an_export_made_again_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.pt2", "another.pt2")]
    for out in files:
        main(["export", f"run_dir={folder}", "format=torch", f"out={out}"])
    assert files[0].read_bytes() == files[1].read_bytes()
