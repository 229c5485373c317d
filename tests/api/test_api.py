from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import mua_decode
from mua_decode.data import DecodingData
from mua_decode.recordings import write_nwb, write_recording
from mua_decode.types import InputError, Recording
from tests.stored_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording, DecodingData]:
    folder = tmp_path_factory.mktemp("run") / "a"
    return folder, *write_run(folder)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, mua_decode; "
        "print(sorted({'torch', 'numpy', 'hydra', 'pynwb'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_looking_at_a_recording_loads_no_torch() -> None:
    code = (
        "import sys; from mua_decode.commands.main import main; "
        "main(['inspect', 'recording=simulated_small']); "
        "print(sorted({'torch', 'pytorch_lightning'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "8 conditions" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "[]"


def test_every_public_name_is_there_and_typed() -> None:
    for name in mua_decode.__all__:
        assert getattr(mua_decode, name) is not None
        assert name in dir(mua_decode)
    stub = ast.parse(Path(mua_decode.__file__).with_suffix(".pyi").read_text())
    typed = {a.asname for n in stub.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert typed == set(mua_decode.__all__) - {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'load_runs'"):
        mua_decode.load_runs  # noqa: B018


def test_decode_gives_the_network_on_standardised_counts(
    run: tuple[Path, Recording, DecodingData],
) -> None:
    folder, _, data = run
    before = torch.random.get_rng_state()
    decoder = mua_decode.load_run(folder)
    assert torch.equal(torch.random.get_rng_state(), before)
    pseudo = data.dataset("test").pseudo
    counts = pseudo.counts(np.arange(7))
    video = decoder.decode(counts, batch_size=3)
    with torch.no_grad():
        expected = decoder.network(torch.from_numpy(data.standardise(counts)))
    assert video.shape == (7, *data.frame_shape[:1], data.n_bins, *data.frame_shape[1:])
    np.testing.assert_allclose(video, expected.numpy(), atol=1e-5)
    assert decoder.sites.site_id.tolist() == data.pool.sites.site_id.tolist()
    assert decoder.stimuli == tuple(data.stimuli.names)
    assert decoder.bin_s == pytest.approx(0.1)
    assert "28 sites" in repr(decoder)
    assert decoder.decode(counts[:0]).shape == (0, *video.shape[1:])


def test_a_site_that_is_missing_stands_at_its_mean(
    run: tuple[Path, Recording, DecodingData],
) -> None:
    folder, _, data = run
    decoder = mua_decode.load_run(folder)
    counts = data.dataset("test").pseudo.counts(np.arange(4)).astype(float)
    at_mean = counts.copy()
    at_mean[:, :, 5] = data.standardise.mean[5]
    counts[:, :, 5] = np.nan
    np.testing.assert_allclose(decoder.decode(counts), decoder.decode(at_mean), atol=1e-5)


def test_counts_that_cannot_be_are_refused(run: tuple[Path, Recording, DecodingData]) -> None:
    decoder = mua_decode.load_run(run[0])
    t, n = decoder.n_bins, len(decoder.sites)
    for wrong, message in (
        (np.zeros((2, n, t)), "swap the last two axes"),
        (np.zeros((t, n)), "expected \\(trials, bins, sites\\)"),
        (np.full((1, t, n), -1.0), "expected spike counts >= 0, found -1"),
        (np.full((1, t, n), np.inf), "infinite"),
        (np.full((1, t, n), "a"), "expected numbers"),
    ):
        with pytest.raises(InputError, match=message):
            decoder.decode(wrong)


def test_reconstruct_pairs_true_and_decoded_trials(
    run: tuple[Path, Recording, DecodingData],
) -> None:
    folder, recording, data = run
    decoder = mua_decode.load_run(folder, recording=recording)
    name = decoder.stimuli[3]
    found = decoder.reconstruct(name, limit=2)
    assert len(found) == 2
    assert found.names == (name, name)
    rows = np.flatnonzero(data.dataset("test").pseudo.condition == 3)[:2]
    batch = data.dataset("test").__getitems__(rows.tolist())
    np.testing.assert_array_equal(found.true, batch.video.numpy())
    counts = data.dataset("test").pseudo.counts(rows)
    np.testing.assert_allclose(found.decoded, decoder.decode(counts), atol=1e-5)
    everything = decoder.reconstruct([0, name], part="val")
    assert set(everything.names) == {decoder.stimuli[0], name}
    counts = counts.astype(float)
    counts[:, :, decoder.sites.region == "V4"] = np.nan
    np.testing.assert_allclose(
        decoder.reconstruct(name, limit=2, without=["V4"]).decoded,
        decoder.decode(counts),
        atol=1e-5,
    )
    with pytest.raises(InputError, match="did you mean"):
        decoder.reconstruct(name[:-1])
    with pytest.raises(InputError, match="region 'V5' is not in this recording"):
        decoder.reconstruct(without=["V5"])


def test_an_older_run_reads_its_recording(
    run: tuple[Path, Recording, DecodingData], tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(run[0], tmp_path / "old")
    (tmp_path / "old" / "population.json").unlink()
    new, old = mua_decode.load_run(run[0]), mua_decode.load_run(tmp_path / "old")
    assert old.population.to_json() == new.population.to_json()
    (tmp_path / "old" / "population.json").write_text("{}")
    with pytest.raises(InputError, match="population: incomplete or damaged"):
        mua_decode.load_run(tmp_path / "old")


def test_a_recording_is_read_by_what_it_is(recording: Recording, tmp_path: Path) -> None:
    write_recording(recording, tmp_path / "r.h5")
    write_nwb(recording, tmp_path / "nwb")
    for path in (tmp_path / "r.h5", tmp_path / "nwb"):
        again = mua_decode.read_recording(path)
        assert [s.name for s in again.sessions] == ["s0", "s1", "s2"]
        other = mua_decode.Recording.from_path(str(path))
        assert other.sites.site_id.tolist() == again.sites.site_id.tolist()
    nwb = mua_decode.Recording.from_nwb(str(tmp_path / "nwb"))
    assert nwb.sites.site_id.tolist() == again.sites.site_id.tolist()
    with pytest.raises(InputError, match="no such file"):
        mua_decode.read_recording(tmp_path / "none")
    with pytest.raises(InputError, match="no recording whose kind shows"):
        mua_decode.read_recording(tmp_path)


def test_commands_run_in_this_process(tmp_path: Path) -> None:
    out = tmp_path / "simulated.h5"
    small = ["recording.stimulus.variants=1", "recording.population.trials_per_condition=2"]
    mua_decode.run_command("simulate", "recording=simulated_small", *small, f"out={out}")
    assert mua_decode.read_recording(out).sessions[0].n_trials == 16
    with pytest.raises(InputError, match="did you mean 'train'"):
        mua_decode.run_command("trian")
    with pytest.raises(InputError, match="run_dir is not set"):
        mua_decode.run_command("evaluate")
