"""Files of ``torch.save`` from elsewhere: what they take is no more than they hold."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch._utils import _rebuild_device_tensor_from_cpu_tensor

from mua_decode import saved
from mua_decode.saved import load_saved
from mua_decode.types import InputError


def test_a_saved_file_is_refused_by_its_name_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"a\.pt: refused, it is damaged or no table; say more"):
        load_saved(path, "table", hint="; say more")
    torch.save({"a": torch.arange(3)}, path)
    assert load_saved(path, "table")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("archive", [True, False])
def test_what_is_saved_is_loaded(tmp_path: Path, archive: bool) -> None:
    layer = torch.nn.Linear(3, 2)
    shared = torch.arange(6.0)
    kept = {
        "state": layer.state_dict(),
        "parameter": layer.weight,
        "views": [shared[:3], shared[3:].view(3, 1), shared[:0]],
        "kinds": [torch.zeros(2, dtype=d) for d in (torch.bool, torch.bfloat16, torch.int64)],
        "plain": (1, 2.5, None, "größe", True, {1, 2}, torch.Size([2]), torch.float16),
    }
    path = tmp_path / "a.pt"
    torch.save(kept, path, _use_new_zipfile_serialization=archive)
    for mapped in (False, True):
        found = load_saved(path, "checkpoint", mapped=mapped)
        assert torch.equal(found["state"]["weight"], layer.weight)
        assert torch.equal(found["parameter"], layer.weight)
        assert [v.tolist() for v in found["views"]] == [v.tolist() for v in kept["views"]]
        assert [v.dtype for v in found["kinds"]] == [v.dtype for v in kept["kinds"]]
        assert found["plain"] == kept["plain"]


class Spread:
    """A tensor of a number, spread over what would be 8 TiB, and only then made a real one."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        thin = torch.zeros(1).expand(1 << 20, 1 << 20)
        return _rebuild_device_tensor_from_cpu_tensor, (thin, torch.float64, "cpu", False)


class Emptied:
    """A megabyte for each of its numbers, of nothing."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return bytearray, (1 << 40,)


class Doubled:
    """Text of text, twice as long every time."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        import _codecs

        return _codecs.encode, (b"00", "hex")


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("held", [Spread(), Emptied(), Doubled()], ids=lambda h: type(h).__name__)
def test_nothing_is_called_that_makes_much_of_little(
    tmp_path: Path, held: object, archive: bool
) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": [held]}, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(InputError, match="it holds objects that could run code or fill the memory"):
        load_saved(path, "checkpoint")


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_tensor_is_no_larger_than_what_it_lies_in(tmp_path: Path, device: str) -> None:
    path = tmp_path / "a.ckpt"
    thin = torch.zeros(1, device=device).expand(1 << 20, 1 << 20)
    held = thin if device == "cpu" else torch.empty(1 << 40, device=device)
    torch.save({"state_dict": {"a": [(held,)]}}, path)
    with pytest.raises(InputError, match=r"a\.ckpt: refused, it declares \(\d+.*and holds less"):
        load_saved(path, "checkpoint")


def test_a_pickle_of_the_first_format_declares_no_more_than_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(torch.zeros(3), path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    start = data.index(b"cpuq")
    number = data.index(b"K\x03", start)
    path.write_bytes(data[:number] + b"J" + struct.pack("<i", 1 << 30) + data[number + 2 :])
    with pytest.raises(InputError, match=r"a\.ckpt: refused|takes more memory"):
        load_saved(path, "checkpoint")


def test_values_of_a_pickle_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ckpt"
    torch.save([[]] * 1000, path)
    monkeypatch.setattr(saved, "_MOST_OPERATIONS", 100)
    with pytest.raises(InputError, match=r"a\.ckpt: refused, it holds over 100 values"):
        load_saved(path, "checkpoint")


def test_more_than_fits_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(torch.zeros(1000), path)
    monkeypatch.setattr("mua_decode.limits.memory_bytes", lambda: 1000)
    with pytest.raises(InputError, match=r"a\.ckpt would take 0\.0 GiB of memory"):
        load_saved(path, "checkpoint")


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class ByHand:
    """An archive written field by field: what Python's own writer would not write."""

    def __init__(self) -> None:
        self.body = b""

    def add(self, name: str, content: bytes, *, packed: bool = False) -> tuple[int, ...]:
        """Put a part into the body; returns what a directory says of it."""
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        held = deflate.compress(content) + deflate.flush() if packed else content
        about = (8 * packed, zlib.crc32(content), len(held), len(content), len(self.body))
        method, crc, short, long, _ = about
        head = (20, 0, method, 0, 33, crc, short, long, len(name), 0)
        self.body += struct.pack("<4s5H3I2H", b"PK\3\4", *head) + name.encode() + held
        return about

    @staticmethod
    def entry(name: str, about: tuple[int, ...], *, version: int = 20) -> bytes:
        method, crc, short, long, offset = about
        fields = (20, version, 0, method, 0, 33, crc, short, long, len(name), 0, 0, 0, 0, 0, offset)
        return struct.pack("<4s6H3I5H2I", b"PK\1\2", *fields) + name.encode()

    @staticmethod
    def end(entries: int, size: int, offset: int) -> bytes:
        return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, entries, entries, size, offset, 0)


def written(path: Path, kind: str) -> None:
    """An archive of ``torch.save`` that unpacks to more than it is, in a way that hides it."""
    torch.save({"a": torch.zeros(1 << 18)}, path)
    by_hand, honest, other = ByHand(), b"", b""
    parts = parts_of(path)
    for name, content in parts.items():
        packed = name.endswith("data/0") and kind != "plain" and kind != "upon another"
        about = by_hand.add(name, content, packed=packed)
        honest += by_hand.entry(name, about, version=200 if kind == "later version" else 20)
        _, crc, short, long, offset = about
        hidden = (0, crc, short, short if packed else long, offset)
        other += by_hand.entry(name, hidden)
        if kind == "upon another" and name.endswith("data/0"):
            for number in range(1, 4):
                honest += by_hand.entry(name.replace("data/0", f"data/{number}"), about)
    entries, start = honest.count(b"PK\1\2"), len(by_hand.body)
    if kind == "two directories":  # PyTorch goes by the offset, Python by what is before the end
        end = by_hand.end(entries, len(honest), start)
        path.write_bytes(by_hand.body + honest + other + end)
        return
    after = b"more" if kind == "after its end" else b""
    end = by_hand.end(entries, len(honest), start)
    path.write_bytes(by_hand.body + honest + end + after)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("packed", "it is packed, which torch.save never does"),
        ("two directories", "it has two directories of its parts"),
        ("later version", "it is damaged or no checkpoint"),
        ("upon another", "its parts lie one upon the other"),
        ("after its end", "it is damaged or no checkpoint"),
    ],
)
def test_no_archive_unpacks_to_more_than_it_is(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "a.ckpt"
    written(path, "plain")
    assert load_saved(path, "checkpoint")["a"].shape == (1 << 18,)
    written(path, kind)
    for mapped in (False, True):
        with pytest.raises(InputError, match=rf"a\.ckpt: refused, {said}"):
            load_saved(path, "checkpoint", mapped=mapped)


def test_the_pickle_is_found_by_whatever_case_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save(Emptied(), path)
    parts, by_hand, listed = parts_of(path), ByHand(), b""
    for name, content in parts.items():
        called = name.replace("data.pkl", "DATA.PKL")
        listed += by_hand.entry(called, by_hand.add(called, content))
    end = by_hand.end(len(parts), len(listed), len(by_hand.body))
    path.write_bytes(by_hand.body + listed + end)
    with pytest.raises(InputError, match="could run code or fill the memory"):
        load_saved(path, "checkpoint")


def test_a_plain_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps({"state_dict": {}}, protocol))
        with pytest.raises(InputError, match=r"a\.ckpt: refused, it is damaged or no checkpoint"):
            load_saved(path, "checkpoint")


def test_an_archive_of_many_parts_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": torch.arange(3)}, path)
    for mapped in (False, True):
        assert load_saved(path, "table", mapped=mapped)["a"].tolist() == [0, 1, 2]
    whole = path.read_bytes()
    disks = whole.rindex(b"PK\x06\x07") + 16  # in how many parts the archive is
    path.write_bytes(whole[:disks] + b"\x09" + whole[disks + 1 :])
    for mapped in (False, True):
        with pytest.raises(InputError, match=r"a\.pt: refused, it is damaged or no table"):
            load_saved(path, "table", mapped=mapped)


def test_a_file_of_another_kind_is_damaged_and_no_danger(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"a\.pt: refused, it is damaged or no table; say more"):
        load_saved(path, "table", hint="; say more")
