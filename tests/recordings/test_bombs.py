"""Small files that unpack to much: refused in one line before memory is taken for them."""

from __future__ import annotations

import io
import resource
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from mua_decode import limits
from mua_decode.limits import check_memory, check_packed, check_yaml, memory_bytes
from mua_decode.recordings import matlab_v5, read_arrays, read_native, read_tensors, read_v4_images
from mua_decode.recordings.files import load_csv, load_npy
from mua_decode.recordings.film import read_film
from mua_decode.recordings.matlab import read_mat, spike_cells
from mua_decode.recordings.pictures import read_frames
from mua_decode.recordings.videos import VideoSource
from mua_decode.types import InputError


@pytest.fixture(autouse=True)
def little_memory_is_taken() -> Iterator[None]:
    """Every test here: a few seconds, and less than 1 GiB above what the process held at most."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1 << 20  # KiB
    assert time.process_time() - start < 10


def test_a_table_is_not_unpacked_by_its_name(tmp_path: Path) -> None:
    """A line of names, and an archive behind it."""
    path = tmp_path / "trials.csv.zip"
    path.write_text(f"a,b\n{'x' * 20_000}\n")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trials.csv", "a,b\n" + "0,0\n" * 1000)
    with pytest.raises(InputError, match=r"trials\.csv\.zip: is not a table"):
        load_csv(path)


def test_a_gap_in_the_clock_of_a_film_is_not_filled_without_end(tmp_path: Path) -> None:
    path = tmp_path / "film.npz"
    arrays = {"spikes": np.ones((2, 2, 4), np.uint8), "frames": np.zeros((4, 2, 2), np.uint8)}
    for last, said in ((1e4, "declares 335.3 GiB"), (1e300, "declares")):
        clock = np.array([0, 1e-6, 2e-6, last])
        np.savez(path, frame_times=clock, bin_s=0.1, **arrays)
        with pytest.raises(InputError, match=rf"film\.npz: frame_times {said}"):
            read_film(str(path))
    np.savez(path, frame_times=np.array([0, 0.1, 0.2, 0.6]), bin_s=0.1, **arrays)
    assert read_film(str(path)).stimuli.n_frames == 7


def png(height: int, width: int) -> bytes:
    """A grey picture of any size that is black; of a large one the first rows."""
    data = zlib.compress(bytes(width + 1) * min(height, 100))
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    parts = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    chunks = [
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_small_gif_is_not_shown_for_ever(tmp_path: Path) -> None:
    frames = [Image.new("L", (100, 100), k) for k in (0, 255)]
    lasting = [10, 655350]  # ms: the second stands for 65,535 of the first
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=lasting)
    assert path.stat().st_size < 3000
    with pytest.raises(InputError, match=r"a\.gif: comes to 65536 frames of 100 x 100, 1\.8 GiB"):
        next(read_frames(path))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[10, 30])
    assert len(list(read_frames(path))) == 4


def test_frames_of_a_film_are_counted_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a film comes to stands in no header."""
    path = tmp_path / "grey.mp4"
    iio.imwrite(path, np.zeros((200, 64, 64, 3), np.uint8), fps=10, plugin="FFMPEG")
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(limits, "memory_bytes", lambda: 1 << 20)
    with pytest.raises(InputError, match=r"grey\.mp4: the first \d\d frames would take"):
        VideoSource(folder=str(tmp_path)).shape_video(read_frames(path), str(path))


def test_a_picture_is_measured_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(20_000, 20_000))
    with pytest.raises(InputError, match=r"a\.png: declares 400,000,000 pixels"):
        next(read_frames(tmp_path / "a.png"))
    (tmp_path / "a.png").write_bytes(png(20, 30))
    assert next(read_frames(tmp_path / "a.png")).shape == (20, 30)


@pytest.mark.parametrize(
    ("entry", "content", "message"),
    [
        ("a.png", png(9000, 9000), "declares 81,000,000 pixels"),
        ("a.png", bytes(50_000_000), "no picture is packed so tightly"),
    ],
)
def test_pictures_in_a_zip_are_measured_before_they_are_unpacked(
    tmp_path: Path, entry: str, content: bytes, message: str
) -> None:
    np.save(tmp_path / "responses_1.npy", np.ones((2, 1)))
    with zipfile.ZipFile(tmp_path / "images_1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, content)
    with pytest.raises(InputError, match=message):
        read_v4_images(str(tmp_path), session=1)


def described(folder: Path, counts: str = "counts") -> Path:
    path = folder / "r.yaml"
    path.write_text(
        f"sessions: [{{name: a, counts: {counts}, condition: [0, 1], region: V4}}]\n"
        "stimuli: {videos: videos, frame_s: 0.1}\n"
    )
    return path


def test_a_deflate_bomb_in_an_archive_of_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "r.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("videos.npy", bytes(3_400_000))
        archive.filelist[0].file_size = 3_400_000_000  # as the directory of the archive tells it
    with pytest.raises(InputError, match=r"r\.npz: videos declares 3\.2 GiB in .* MiB of file"):
        read_arrays(str(described(tmp_path)))


def test_an_array_must_be_as_long_as_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(4))
    data = path.read_bytes().replace(b"(4,), }       ", b"(4000000000,),}")
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npy: is damaged"):
        load_npy(path)
    np.save(path, np.zeros((0, 3)))
    assert load_npy(path).shape == (0, 3)


ALIASES = "a: &a [0,0,0,0,0,0,0,0,0,0]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{','.join(['*' + chr(97 + k)] * 10)}]\n" for k in range(9)
)


def test_aliases_in_yaml_count_as_often_as_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(ALIASES)
    with pytest.raises(InputError, match=r"r\.yaml: refused, it holds over 1,000,000 values"):
        read_arrays(str(tmp_path / "r.yaml"))
    check_yaml("a: &a [1, 2]\nb: [*a, *a]", "here")
    with pytest.raises(InputError, match="holds itself"):
        check_yaml("a: &a [*a]", "here")
    with pytest.raises(InputError, match="nested over"):
        check_yaml("[" * 5000, "here")


def nested(file: h5py.File, depth: int, width: int) -> h5py.Dataset:
    """Cells of cells, each level referring to the one below it ``width`` times."""
    inside = file.create_dataset("#refs#/0", data=np.ones((1, 1)))
    for level in range(1, depth + 1):
        references = np.full((width, 1), inside.ref, h5py.ref_dtype)
        inside = file.create_dataset(f"#refs#/{level}", data=references, dtype=h5py.ref_dtype)
        inside.attrs["MATLAB_class"] = np.bytes_("cell")
    return inside


def test_cells_that_refer_to_the_same_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["spikeTimes"] = nested(file, depth=30, width=10)
    found = read_mat(path, ["spikeTimes"])["spikeTimes"]
    assert found.shape == (1, 10)
    assert found[0, 0] is found[0, 9]
    with pytest.raises(InputError, match="expected a vector of seconds"):
        list(spike_cells(found, "here"))


def test_a_cell_that_holds_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        cell = file.create_dataset("spikeTimes", (2, 1), h5py.ref_dtype)
        cell[:] = np.full((2, 1), cell.ref, h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
    with pytest.raises(InputError, match="a cell holds itself"):
        read_mat(path, ["spikeTimes"])


def test_a_vector_that_many_cells_share_is_counted_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "memory_bytes", lambda: 1 << 20)
    cells, shared = np.empty((50, 50), object), np.zeros(1000)
    for i in np.ndindex(cells.shape):
        cells[i] = shared
    assert len(list(spike_cells(cells[:2, :10], "here"))) == 20
    with pytest.raises(InputError, match="GiB of memory"):
        list(spike_cells(cells, "here"))


def said_of(path: Path) -> str | None:
    """What is said of a file that cannot be read."""
    try:
        read_mat(path, ["spikeTimes"])
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_matlab_5_file_cannot_take_the_process_down(
    tmp_path: Path, compress: bool
) -> None:
    cells = np.empty((2, 2), object)
    cells[:] = [[np.arange(3.0), np.arange(2.0)], [np.arange(1.0), np.arange(4.0)]]
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"spikeTimes": cells}, do_compression=compress)
    found = read_mat(path, ["SpikeTimes"])["SpikeTimes"]
    assert [c.size for c in found.ravel()] == [3, 2, 1, 4]
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(2):
        for place in rng.integers(128, len(data), 12):
            data[place] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(data))
        assert "a.mat" in (said_of(path) or "a.mat")


LIMITED = (
    f"import resource, sys; sys.path.append({str(Path(matlab_v5.__file__).parent)!r}); "
    "import matlab_child; matlab_child._limit(int(sys.argv[1]), int(sys.argv[2]))"
)


@pytest.mark.parametrize(
    ("child", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "cannot be read, it is truncated or damaged"),
        (f"{LIMITED}; bytearray(1 << 32)", "takes over 1.5 GiB"),
        (f"{LIMITED}; print(resource.getrlimit(resource.RLIMIT_CPU)[0] < 60 or 1 / 0)", "damaged"),
        ("print('[')", "cannot be read, it is truncated or damaged"),
    ],
)
def test_a_parser_that_crashes_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, message: str
) -> None:
    path, parser = tmp_path / "a.mat", tmp_path / "parser.py"
    scipy.io.savemat(path, {"spikeTimes": np.ones((2, 2))})
    parser.write_text(child)
    monkeypatch.setattr(matlab_v5, "_CHILD", parser)
    with pytest.raises(InputError, match=rf"a\.mat: .*{message}"):
        read_mat(path, ["spikeTimes"])


def test_an_hdf5_array_that_was_never_written(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(format="mua_decode recording", version=1, sha256="", name="")
        file.attrs.update(notes="[]", provenance="{}")
        file.create_dataset("stimuli/videos", (5000, 1000, 1000), "u1", chunks=(1, 100, 100))
    with pytest.raises(InputError, match=r"a\.h5: stimuli/videos .* declares 4\.7 GiB in 0 MiB"):
        read_native(path, verify=False)


def test_a_tensor_that_repeats_itself_or_is_packed(tmp_path: Path) -> None:
    options = {"sites": [("V4", 1000)], "bin_s": 0.1, "video_max": 1, "standardised": False}
    path = tmp_path / "train_input.pt"
    torch.save(torch.zeros(1).expand(10**6, 10**4, 1000), path)
    with pytest.raises(InputError, match=r"train_input\.pt: refused, it declares"):
        read_tensors(str(tmp_path), **options)
    torch.save(torch.zeros(2, 3, 1000), path)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name in plain.namelist():
            out.writestr(name, plain.read(name))
    path.write_bytes(packed.getvalue())
    with pytest.raises(InputError, match=r"train_input\.pt: refused, it is packed"):
        read_tensors(str(tmp_path), **options)


def test_bounds_are_those_of_the_machine() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    assert memory_bytes() > 1 << 28
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, hard))
        machine = memory_bytes()
        resource.setrlimit(resource.RLIMIT_DATA, (machine // 2, hard))
        assert memory_bytes() == machine // 2
        check_memory(machine // 4, "x")
        with pytest.raises(InputError, match="x would take"):
            check_memory(machine // 2, "x")
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    check_packed(1 << 30, 0, "x")
    check_packed(10 << 30, 50 << 20, "x")  # 200 to 1
    with pytest.raises(InputError, match=r"x declares 4\.0 GiB in 4 MiB"):
        check_packed(4 << 30, 4 << 20, "x")
