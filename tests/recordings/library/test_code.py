"""Code that a reader of SpikeInterface or Neo would run, wherever it lies beside the recording."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from mua_decode.recordings.library.ask import ask_library
from mua_decode.types import InputError

pytest.importorskip("spikeinterface")
PLAN = {"measure": "envelope", "band_hz": [300, 6000], "reference": None, "bin_s": 0.01}


def klusta(folder: Path, value: str) -> Path:
    """A file of spikes whose settings lie beside it."""
    (folder / "a.prm").write_text(f"traces = dict(sample_rate={value})\n")
    with h5py.File(folder / "a.kwik", "w") as file:
        file.create_group("channel_groups")
    return folder / "a.kwik"


def sinaps(folder: Path, value: str) -> Path:
    """A file of voltage whose settings lie beside it, each of which is evaluated."""
    (folder / "metadata_a.txt").write_text(f"samplingFrequency={value}\n")
    (folder / "a.bin").write_bytes(bytes(64))
    return folder / "a.bin"


@pytest.mark.parametrize(
    ("kind", "name", "write"),
    [("sorting", "klusta", klusta), ("raw", "sinaps_research_platform", sinaps)],
)
@pytest.mark.parametrize("whole_folder", [False, True])
def test_code_beside_a_recording_is_not_run(
    tmp_path: Path, kind: str, name: str, write, whole_folder: bool
) -> None:
    marker = tmp_path / "ran"
    path = write(tmp_path, f"open({str(marker)!r}, 'w').close()")
    given = path.parent if whole_folder else path
    with pytest.raises(InputError):
        ask_library(given, kind, format=name, options={}, plan=PLAN)
    assert not marker.exists()
