"""What of a recording file is covered by its checksum, and where it may not point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mua_decode.recordings import read_native, read_nwb, write_recording
from mua_decode.recordings.files import open_hdf5
from mua_decode.recordings.matlab import read_mat
from mua_decode.recordings.native import _digest
from mua_decode.recordings.seal import SEAL_BYTES
from mua_decode.types import InputError, Recording


def bin_width(file: h5py.File) -> None:
    file["sessions/s0"].attrs["bin_s"] = 0.5


def frame_width(file: h5py.File) -> None:
    file["stimuli"].attrs["frame_s"] = 0.5


def provenance(file: h5py.File) -> None:
    file.attrs["provenance"] = '{"source": "another"}'


def type_of_counts(file: h5py.File) -> None:
    """The same bytes under another type: what was 1 is 256."""
    values = file["sessions/s0/counts"][()]
    del file["sessions/s0/counts"]
    turned = values.view(values.dtype.newbyteorder(">"))
    file.create_dataset("sessions/s0/counts", data=turned, dtype=turned.dtype)


def order_of_sessions(file: h5py.File) -> None:
    file.move("sessions/s0", "sessions/t0")
    file.move("sessions/s1", "sessions/s0")
    file.move("sessions/t0", "sessions/s1")


SPOILT = [bin_width, frame_width, provenance, type_of_counts, order_of_sessions]


@pytest.mark.parametrize("spoil", SPOILT)
def test_the_checksum_covers_attributes_types_and_names(
    recording: Recording, tmp_path: Path, spoil: Callable[[h5py.File], None]
) -> None:
    path = tmp_path / "r.h5"
    write_recording(recording, path)
    read_native(path)
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(InputError, match=r"r\.h5: contents do not match their checksum"):
        read_native(path)


def test_every_byte_counts(recording: Recording, tmp_path: Path) -> None:
    """Damage is refused before HDF5, which can loop on it for ever, sees the file."""
    path = tmp_path / "r.h5"
    write_recording(recording, path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [*rng.integers(SEAL_BYTES, len(data), 100), len(data) - 1, SEAL_BYTES]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match="contents do not match"):
            read_native(path)
    for place in range(SEAL_BYTES):  # the line itself, and the room behind it
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match=r"first line is damaged|is truncated|do not match"):
            read_native(path)
    path.write_bytes(bytes(SEAL_BYTES) + data[SEAL_BYTES:])
    with pytest.raises(InputError, match="first line is damaged"):
        read_native(path)
    path.write_bytes(data + b"more")
    with pytest.raises(InputError, match="contents do not match"):
        read_native(path)


def test_a_file_of_an_earlier_version_is_read_and_its_arrays_are_checked(
    recording: Recording, tmp_path: Path
) -> None:
    """Without the line in front; its checksum covers the arrays."""
    new, old = tmp_path / "new.h5", tmp_path / "old.h5"
    write_recording(recording, new)
    with h5py.File(new) as source, h5py.File(old, "w") as file:
        for name in source:
            source.copy(name, file)
        file.attrs.update(source.attrs)
        assert file.attrs["sha256"] == _digest(file)
    assert read_native(old).checksum == read_native(new).checksum == recording.checksum
    with h5py.File(old, "a") as file:
        file["sessions/s0/counts"][0, 0, 0] += 1
    with pytest.raises(InputError, match="contents do not match"):
        read_native(old)


def soft(file: h5py.File, other: Path) -> None:
    del file["sessions/s0/counts"]
    file["sessions/s0/counts"] = h5py.SoftLink("/sessions/s1/counts")


def external(file: h5py.File, other: Path) -> None:
    del file["sessions/s0/counts"]
    file["sessions/s0/counts"] = h5py.ExternalLink(str(other), "/secret")


def external_group(file: h5py.File, other: Path) -> None:
    file["truth/extra"] = h5py.ExternalLink(str(other), "/")


def raw(file: h5py.File, other: Path) -> None:
    values = file["sessions/s0/counts"]
    shape, kind = values.shape, values.dtype
    del file["sessions/s0/counts"]
    where = [(str(other), 0, int(np.prod(shape)) * kind.itemsize)]
    file.create_dataset("sessions/s0/counts", shape, kind, external=where)


def raw_text(file: h5py.File, other: Path) -> None:
    file.create_dataset("truth/t/x", (4,), "S8", external=[(str(other), 0, 32)])


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((4,), "i8")
    layout[:] = h5py.VirtualSource(str(other), "secret", (4,))
    del file["stimuli/condition"]
    file.create_virtual_dataset("stimuli/condition", layout)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("point", [soft, external, external_group, raw, raw_text, virtual])
def test_no_file_reads_another(
    recording: Recording,
    tmp_path: Path,
    point: Callable[[h5py.File, Path], None],
    verify: bool,
) -> None:
    path, other = tmp_path / "r.h5", tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.zeros(recording.sessions[0].counts.shape, "u1")
    write_recording(recording, path)
    with h5py.File(path, "a") as file:
        point(file, other)
    if verify:
        unsealed(path)
    with pytest.raises(InputError, match=r"r\.h5: .*(is a link to|lie in another file|expected)"):
        read_native(path, verify=verify)


def unsealed(path: Path) -> None:
    """Take the line off, and the room for it, as who made the file on purpose would."""
    sealed = path.rename(path.with_suffix(".sealed"))
    with h5py.File(sealed) as source, h5py.File(path, "w") as file:
        for name in source:
            source.copy(name, file)
        file.attrs.update(source.attrs)


def test_other_formats_follow_no_link_to_another_file(tmp_path: Path) -> None:
    for name in ("a.nwb", "a.mat"):
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["nwb_version"] = "2"
            file["inside"] = h5py.SoftLink("/data")  # NWB has these
            file["data"] = 1
        with open_hdf5(tmp_path / name) as file:
            assert file["inside"][()] == 1
        with h5py.File(tmp_path / name, "a") as file:
            file["units"] = h5py.ExternalLink("/etc/other.h5", "/units")
        with (
            pytest.raises(InputError, match="units is a link to another file"),
            open_hdf5(tmp_path / name),
        ):
            pass
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        del file["units"]
        file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    with pytest.raises(InputError, match="x: its values lie in another file"):
        read_nwb(str(tmp_path / "a.nwb"))
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "secret", (4,))
    for kind in ("raw", "virtual"):
        with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
            if kind == "virtual":
                file.create_virtual_dataset("spikeTimes", layout)
            else:
                file.create_dataset("spikeTimes", (4,), "u1", external=[("/etc/passwd", 0, 4)])
        with pytest.raises(InputError, match="spikeTimes: its values lie in another file"):
            read_mat(tmp_path / "b.mat", ["spikeTimes"])
