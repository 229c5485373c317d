"""A disk that fills up while a recording is written: one error, no crash, nothing left behind."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from mua_decode.recordings import write_nwb, write_recording
from mua_decode.recordings.blocks import new_hdf5
from mua_decode.types import Recording

# In a process of its own, which the plain way of writing HDF5 does not survive.
_LIMITED = """
import errno, resource, sys
from pathlib import Path
from mua_decode.recordings import read_native, write_nwb, write_recording

source, folder = read_native(sys.argv[1]), Path(sys.argv[2])
size = Path(sys.argv[1]).stat().st_size
ways = {"native": lambda: write_recording(source, folder / "a.h5"),
        "nwb": lambda: write_nwb(source, folder)}
for name, write in ways.items():
    refused = 0
    for share in (0, 0.02, 0.1, 0.3, 0.7, 0.97) if name == "native" else (0, 0.3, 0.97):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * size), resource.RLIM_INFINITY))
        try:
            write()
        except OSError as error:
            assert error.errno == errno.EFBIG, error
            assert str(folder) in str(error), error
            assert "partial" not in str(error), error
            refused += 1
        assert not list(folder.iterdir()), (name, share)
    print(name, refused)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
write_recording(source, folder / "a.h5")
"""


def test_a_limit_on_the_size_of_files_is_one_error(recording: Recording, tmp_path: Path) -> None:
    write_recording(recording, tmp_path / "r.h5")
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", _LIMITED, str(tmp_path / "r.h5"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:2] == ["native 6", "nwb 3"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.h5"]


def test_a_full_disk_is_one_error(recording: Recording, small_disk: Path) -> None:
    noise = b"x" * 100_000
    (small_disk / "other").write_bytes(noise)
    for write, out in ((write_recording, "a.h5"), (write_nwb, "nwb")):
        with pytest.raises(OSError, match="No space left on device") as raised:
            write(recording, small_disk / out)
        assert raised.value.errno == errno.ENOSPC
    assert [p.name for p in small_disk.rglob("*") if p.is_file()] == ["other"]
    assert (small_disk / "other").read_bytes() == noise


def test_the_first_failure_is_raised_and_what_is_read_back_is_what_was_written(
    tmp_path: Path,
) -> None:
    with new_hdf5(tmp_path / "a.h5") as file:
        file["x"] = list(range(1000))
        assert file["x"][:].tolist() == list(range(1000))
    with pytest.raises(FileExistsError), new_hdf5(tmp_path / "a.h5"):
        pass


# An address space that ends while HDF5 writes: what it could not allocate it cannot close either.
_LITTLE = """
import os, resource, sys
from pathlib import Path
import numpy as np
from mua_decode.files import whole
from mua_decode.recordings.blocks import new_hdf5

folder = Path(sys.argv[1])
values = np.arange(2 << 20).reshape(2, 1 << 20) % 7
pages = int(Path("/proc/self/statm").read_text().split()[0])
ends = set()
for step in range(0, 96, 4):
    child = os.fork()
    if child == 0:
        size = pages * os.sysconf("SC_PAGE_SIZE") + (step << 20)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        try:
            with whole(folder / "a.h5") as partial, new_hdf5(partial) as file:
                for i in range(2):  # of chunks of 8 MiB
                    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
                    file.create_dataset(str(i), data=values, chunks=(1, 1 << 20), **packed)
        except (MemoryError, OSError, RuntimeError, ValueError):
            os._exit(2)
        os._exit(0)
    end = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ends.add(end)
    assert {p.name for p in folder.iterdir()} <= {"a.h5"}, (step, end)
print(sorted(ends))
"""


def test_memory_that_ends_while_hdf5_writes_is_one_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LITTLE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "[0, 2]\n"
