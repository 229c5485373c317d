"""What a damaged or odd file holds is said in one line that names it, whatever library tripped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from mua_decode.recordings import child, files, read_arrays, read_nwb, read_tensors, write_nwb
from mua_decode.recordings.files import load_csv, load_npy, open_hdf5, reading
from mua_decode.recordings.matlab import read_mat
from mua_decode.types import InputError, Recording
from tests.recordings.layouts import write_arrays


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IndexError("tuple index"), "is damaged, or not what was expected: tuple index"),
        (KeyError("a"), "is damaged, or not what was expected: 'a'"),
        (AttributeError(), "is damaged, or not what was expected: AttributeError"),
        (OSError(36, "File name too long"), r"cannot be read: \[Errno 36\]"),
        (MemoryError("Unable to allocate"), "takes more memory than there is: Unable"),
        (InputError("condition 200 has no video"), "condition 200 has no video"),
    ],
)
def test_what_is_raised_of_a_content_names_its_file(error: Exception, said: str) -> None:
    with (
        pytest.raises(InputError, match=rf"^data/a\.yaml: {said}") as found,
        reading(Path("data/a.yaml")),
    ):
        raise error
    assert found.value.__cause__ is error


def test_a_name_with_a_line_break_is_said_in_one_line() -> None:
    assert (
        str(InputError("a.json: version a\nb is not known")) == "a.json: version a b is not known"
    )


@pytest.mark.parametrize("header", ["start,start", "b,b.1,b", "a,\0\0,\0\0"])
def test_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "trials.csv"
    path.write_text(f"{header}\n{','.join('123'[: header.count(',') + 1])}\n")
    with pytest.raises(InputError, match=f"^{path}: two columns are called '"):
        load_csv(path)


def test_what_names_its_file_already_is_left_as_it_is() -> None:
    for said in ("data/a.yaml: is bad", "data/b.npy: is bad"):
        with pytest.raises(InputError, match=f"^{said}$"), reading(Path("data/a.yaml")):
            raise InputError(said)
    with pytest.raises(ZeroDivisionError, match="x"), files.named("a", KeyError):
        raise ZeroDivisionError("x")


def damage_header(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b"'shape': (", b"'shape': ((", 1))


def damage_letters(path: Path) -> None:
    np.save(path, np.array(["V4", "MT"]))
    data = bytearray(path.read_bytes())
    data[-2] = 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [damage_header, damage_letters])
def test_an_array_whose_header_or_letters_are_none(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6.0).reshape(2, 3))
    damage(path)
    with pytest.raises(InputError, match=r"a\.npy: is damaged"):
        load_npy(path)
    np.save(path, np.array(["V4", "größe", "\U0010ffff"]))
    assert load_npy(path)[1] == "größe"


def flat_videos(folder: Path) -> None:
    np.save(folder / "videos.npy", np.load(folder / "videos.npy").ravel())


def unknown_condition(folder: Path) -> None:
    path = folder / "s0_condition.npy"
    np.save(path, np.load(path) * 0 + 200)


def long_name(folder: Path) -> None:
    described = yaml.safe_load((folder / "all.yaml").read_text())
    described["sessions"][0]["subject"] = "é" * 300
    (folder / "all.yaml").write_text(yaml.safe_dump(described))


@pytest.mark.parametrize("damage", [flat_videos, unknown_condition, long_name])
def test_arrays_that_do_not_fit_name_the_file(
    recording: Recording, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    source = write_arrays(recording, tmp_path, packed=False)
    read_arrays(str(source))
    damage(tmp_path)
    with pytest.raises(InputError, match=r"all\.yaml") as found:
        read_arrays(str(source))
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (torch.empty(2, 3, 4, device="meta"), "expected plain numbers, found .* on meta"),
        (torch.ones(2, 3, 4, dtype=torch.bfloat16), "expected plain numbers, found torch.bfloat16"),
        (torch.full((2, 3, 4), torch.inf), "counts must be"),
    ],
)
def test_tensors_of_another_kind(tmp_path: Path, values: torch.Tensor, said: str) -> None:
    torch.save(values, tmp_path / "train_input.pt")
    torch.save(torch.zeros(2, 3, 1, 4, 4), tmp_path / "train_output.pt")
    options = {"sites": [("V4", 4)], "bin_s": 0.1, "video_max": 1, "standardised": False}
    with pytest.raises(InputError, match=said) as found:
        read_tensors(str(tmp_path), crop=4, segments=None, **options)
    assert str(tmp_path) in str(found.value)


def test_a_table_that_declares_rows_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("trialInfo")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        group.create_dataset("cue", (50_000, 100, 100), "u1", chunks=True)
    with pytest.raises(InputError, match=r"trialInfo\.cue: declares 500,000,000 rows; refused"):
        read_mat(path, ["trialInfo"])


def test_a_description_of_a_session_that_declares_too_much(
    recording: Recording, tmp_path: Path
) -> None:
    write_nwb(recording, tmp_path)
    path = next(tmp_path.glob("*.nwb"))
    with h5py.File(path, "r+") as file:
        del file["session_description"]
        file.create_dataset("session_description", (50_000, 100, 100), "u1", chunks=True)
    with pytest.raises(InputError, match=rf"{path.name}: session_description declares 477 MiB"):
        read_nwb(str(path))


@pytest.mark.parametrize(
    "parser",
    [
        "import os; os.kill(os.getpid(), 11)",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
    ],
)
def test_hdf5_that_crashes_or_loops_does_so_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: str
) -> None:
    path, script = tmp_path / "a.h5", tmp_path / "child.py"
    with h5py.File(path, "w") as file:
        file["a"] = 1.0
    with open_hdf5(path) as file:
        assert file["a"][()] == 1
    script.write_text(parser)
    monkeypatch.setattr(files, "_CHILD", script)
    with open_hdf5(path) as file:  # looked at before, and not changed since
        assert "a" in file
    os.utime(path, ns=(1, 1))
    with (
        pytest.raises(InputError, match=r"a\.h5: cannot be read, it is truncated or damaged"),
        open_hdf5(path),
    ):
        pass


def test_a_loop_inside_hdf5_is_a_line(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text of attributes lies in a heap whose objects tell their own sizes: none has no next."""
    monkeypatch.setattr(child, "_CPU_S", 1)
    write_nwb(recording, tmp_path)
    path = next(tmp_path.glob("*.nwb"))
    whole = path.read_bytes()
    heap = whole.index(b"GCOL")
    path.write_bytes(whole[: heap + 16] + bytes(600) + whole[heap + 616 :])
    with pytest.raises(InputError, match=rf"{path.name}: cannot be read, it is truncated or dam"):
        read_nwb(str(path))
