"""Damage to files: bytes, and the structure of YAML, JSON, HDF5, zip and tensor files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml

from mua_decode.recordings.seal import seal

Generator = np.random.Generator
Mutation = Callable[[Path, Generator], str]


def spoil_bytes(path: Path, rng: Generator) -> str:
    """Change bytes of a file; returns in what way."""
    data = path.read_bytes()
    kind = ("flip", "truncate", "zero", "insert", "repeat")[rng.integers(5)]
    a, b = np.sort(rng.integers(0, len(data) + 1, 2)).tolist()
    b = min(b, a + int(2 ** rng.uniform(0, 14)))
    if rng.random() < 0.5:  # headers and directories are where readers decide
        a, b = (
            (a % 1024, a % 1024 + b - a) if rng.random() < 0.5 else (len(data) - b, len(data) - a)
        )
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(int(2 ** rng.uniform(0, 5))):
            place = int(rng.integers(len(data)))
            place = place % 512 if rng.random() < 0.3 else place
            changed[place % len(data)] ^= 1 << int(rng.integers(8))
        data = bytes(changed)
    elif kind == "truncate":
        data = data[:a]
    elif kind == "zero":
        data = data[:a] + bytes(b - a) + data[b:]
    elif kind == "insert":
        data = data[:a] + rng.bytes(b - a) + data[a:]
    else:
        data = data[:b] + data[a:b] * int(rng.integers(1, 20)) + data[b:]
    path.write_bytes(data)
    return f"{kind} {a}..{b}"


_JUNK: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**23, -0.5, 1e308, float("inf"), float("nan")),
    *("", "\x1b[31m", "a\nb", "NA", "$\\frac$", "../../up", "/etc/passwd", "é" * 300, "x" * 9000),
    *("${oc.env:HOME}", "${a}", "${seed}", "???", "os.system"),
    *([], {}, [[]], [[[[[1]]]]], {"a": {"b": {}}}, {"_target_": "os.system"}, [1, "a", None]),
]


def spoil_text(path: Path, rng: Generator) -> str:
    """Change values and keys of a YAML or JSON file."""
    text = path.read_text(encoding="utf-8")
    tree = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    said = []
    for _ in range(int(rng.integers(1, 3))):
        said.append(_spoil_tree(tree, rng))
    if path.suffix == ".json":
        text = json.dumps(tree)
    else:
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return "; ".join(said)


def _spoil_tree(tree: Any, rng: Generator) -> str:
    places = list(_places(tree, ""))
    if not places:
        return "nothing left"
    # A tenth of the long lists is enough: the short ones say more.
    box, key, name = places[int(rng.integers(len(places)))]
    how = rng.integers(4)
    if how == 0:
        del box[key]
        return f"{name} removed"
    if how == 1 and isinstance(box, dict):
        box[f"{key}x"] = box.pop(key)
        return f"{name} renamed"
    if how == 2 and isinstance(box, list):
        box.extend([box[key]] * int(rng.integers(1, 50)))
        return f"{name} repeated"
    junk = _JUNK[int(rng.integers(len(_JUNK)))]
    box[key] = json.loads(json.dumps(junk))
    return f"{name} = {str(junk)[:40]!r}"


def _places(tree: Any, name: str) -> Any:
    pairs: list[tuple[Any, Any]] = []
    if isinstance(tree, dict):
        pairs = list(tree.items())
    elif isinstance(tree, list):
        pairs = list(enumerate(tree[:4]))
    for key, value in pairs:
        inside = f"{name}.{key}" if name else str(key)
        yield tree, key, inside
        yield from _places(value, inside)


def spoil_hdf5(path: Path, rng: Generator) -> str:
    """Change objects of an HDF5 file with a writer that knows the format; sealed files again."""
    with path.open("rb") as stream:
        sealed = stream.read(17) == b"mua-decode sealed"
    said = ""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        if len(names) > 40:  # cells of MATLAB would be all there is
            kept = [n for n in names if not n.startswith("#refs#")]
            names = kept + names[:10]
        name = names[int(rng.integers(len(names)))]
        said = _spoil_object(file, name, rng)
    if sealed:
        seal(path)
    return said


def _spoil_object(file: h5py.File, name: str, rng: Generator) -> str:
    item, how = file[name], int(rng.integers(6))
    if how == 0:
        del file[name]
        return f"{name} removed"
    if how == 1:
        file.move(name, f"{name}x")
        return f"{name} renamed"
    if how == 2:
        del file[name]
        file[name] = h5py.SoftLink("/") if rng.random() < 0.5 else h5py.ExternalLink("a.h5", "/a")
        return f"{name} a link"
    if how == 3 and isinstance(item, h5py.Dataset):
        values = item[()] if item.dtype.kind in "fiu" and item.size < 10**6 else np.zeros(3)
        values = np.asarray(values)
        changed = [
            *(values.astype("f8") * np.nan, values.ravel()[:0], values.ravel()[:1]),
            *(values[..., None], -values.astype("f8"), values.astype("f8") + 0.5),
            *(np.array([b"a", b"b"]), np.float64(7), values.astype("c8"), values.ravel()),
            *(np.full(values.shape, 1e300), np.full(values.shape, 2**62)),
        ][int(rng.integers(12))]
        kept = dict(item.attrs)
        del file[name]
        again = file.create_dataset(name, data=changed)
        for key, value in kept.items():
            again.attrs[key] = value
        return f"{name} {values.dtype}{values.shape} -> {changed.dtype}{changed.shape}"
    if how == 4 and isinstance(item, h5py.Dataset):
        del file[name]
        shape = (2**40,) if rng.random() < 0.5 else (50_000, 100, 100)
        file.create_dataset(name, shape, "u1", chunks=True)
        return f"{name} declares {shape}"
    owner = item if len(item.attrs) else file
    if not len(owner.attrs):
        return "nothing changed"
    key = list(owner.attrs)[int(rng.integers(len(owner.attrs)))]
    junk = [v for v in _JUNK if isinstance(v, str | float | int) and v not in (2**63, 10**23)]
    value = junk[int(rng.integers(len(junk)))]
    owner.attrs[key] = value
    return f"{name}@{key} = {str(value)[:40]!r}"


def _spoilt_array(values: np.ndarray, rng: Generator) -> np.ndarray:
    number = values if values.dtype.kind in "fiub" else np.zeros(values.shape)
    return [
        number.astype("f8") * np.nan,
        -number.astype("f8"),
        number.astype("f4") + 0.25,
        number * 0 + 200 if number.dtype.kind != "b" else number,
        values[..., None],
        values.ravel(),
        values[:0],
        values[1:],
        np.concatenate([values] * 3),
        values.astype("U8") if values.ndim < 3 else values.astype("f2"),
        number.astype("c8"),
        np.array(3),
        np.zeros((0, 5)),
        number.astype(">i8") + 2**40,
        np.zeros(values.shape, bool),
        np.zeros(4, [("a", "f4"), ("b", "U3")]),
        np.full(values.shape, np.datetime64("2020-01-01")),
    ][int(rng.integers(17))]


def spoil_array(path: Path, rng: Generator) -> str:
    """Put another array in the place of one of a ``.npy``, ``.npz`` or ``.pt`` file."""
    if path.suffix == ".ckpt":
        return _spoil_state(path, torch.load(path, weights_only=True), rng)
    if path.suffix == ".npz":
        with np.load(path) as archive:
            arrays = dict(archive)
        name = sorted(arrays)[int(rng.integers(len(arrays)))]
        arrays[name] = _spoilt_array(arrays[name], rng)
        np.savez(path, **arrays)
        return f"{name} {arrays[name].dtype}{arrays[name].shape}"
    if path.suffix == ".npy":
        changed = _spoilt_array(np.load(path), rng)
        np.save(path, changed)
        return f"{changed.dtype}{changed.shape}"
    values = torch.load(path, weights_only=True)
    odd = [
        torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (5,)),
        *(values.to(torch.bfloat16), values.to(torch.complex64), values.to(torch.bool)),
        *({"a": values}, [values], "text", None, 5, values.clone().requires_grad_()),
        *(torch.empty(values.shape, device="meta"), values.transpose(0, -1), values[:0]),
        torch.quantize_per_tensor(values.float(), 0.1, 0, torch.qint8),
        *(values * torch.nan, values * torch.inf),
    ]
    changed = odd[int(rng.integers(len(odd)))]
    torch.save(changed, path)
    return f"{type(changed).__name__} {getattr(changed, 'dtype', '')}"


def _spoil_state(path: Path, state: dict[str, Any], rng: Generator) -> str:
    box, name = state, ""
    for _ in range(int(rng.integers(1, 4))):
        keys = [k for k in box if isinstance(box[k], dict) and box[k]]
        if not keys:
            break
        name = str(keys[int(rng.integers(len(keys)))])
        box = box[name]
    key = list(box)[int(rng.integers(len(box)))]
    value = box[key]
    if torch.is_tensor(value) and rng.random() < 0.6:
        box[key] = [
            *(value.ravel(), value.to(torch.float64), value * torch.nan, value[None]),
            *(value.to(torch.complex64), torch.empty(value.shape, device="meta")),
        ][int(rng.integers(6))]
    elif rng.random() < 0.3:
        del box[key]
    else:
        box[key] = _JUNK[int(rng.integers(len(_JUNK)))]
    torch.save(state, path)
    return f"{name}[{key!r}]"


def spoil_zip(path: Path, rng: Generator) -> str:
    """Write an archive anew with entries renamed, repeated, spoilt, packed or left out."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    at, how = int(rng.integers(len(entries))), int(rng.integers(6))
    name, data = entries[at]
    if how == 0:
        entries.pop(at)
    elif how == 1:
        odd = ["../../up.png", "/tmp/up.png", "a\x1b[31m.png", "x" * 300 + ".png", "image.txt", "é"]
        entries[at] = (odd[int(rng.integers(len(odd)))], data)
    elif how == 2:
        entries.append((f"more{name}", data))
    elif how == 3:
        entries[at] = (name, data[: int(rng.integers(len(data)))])
    elif how == 4:
        entries[at] = (name, rng.bytes(200))
    else:
        place = int(rng.integers(len(data)))
        entries[at] = (name, data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if rng.random() < 0.5 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    path.write_bytes(buffer.getvalue())
    return f"entry {at} of {len(entries)}, way {how}"
