"""What ``torch.save`` wrote, looked at before PyTorch reads it: tensors and plain values alone.

PyTorch keeps a file from running code. It does not keep it from taking memory: a file of a
kilobyte may unpack, name one that makes gigabytes, or repeat a number without end.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

from mua_decode.limits import check_memory, memory_refused, too_large
from mua_decode.types import InputError

_ARCHIVE = b"PK\3\4"  # how PyTorch tells archives from files of versions before 1.6
_OLD_PICKLES = 5  # that those begin with: magic, version, system, what was saved, keys of its parts
_MOST_OPERATIONS = 4_000_000  # of a pickle; a tensor among others takes about 20
_END, _LOCATOR, _RECORD = 22, 20, 56  # bytes at the end of an archive
# What a pickle of tensors and plain values names. PyTorch itself lets others pass that make much of
# little: bytearray(n), _codecs.encode again and again, tensors that are spread when they are read.
_PLAIN = re.compile(
    r"collections (OrderedDict|Counter)|(__builtin__|builtins) (set|complex)|"
    r"torch (\w+Storage|Size|device|Tensor|(bfloat|float|u?int|complex)\d+|bool)|"
    r"torch\.storage \w+Storage|torch\.nn\.parameter Parameter|"
    r"torch\._tensor _rebuild_from_type_v2|"
    r"torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|"
    r"meta_tensor_no_storage)"
)


def load_saved(path: Path, kind: str, *, mapped: bool = False, hint: str = "") -> Any:
    """Load what ``torch.save`` wrote on the CPU: tensors and plain values, nothing that runs code.

    Parameters
    ----------
    kind
        What it should hold, for the error: ``checkpoint``.
    mapped
        Leave the numbers on the disk until they are used, where the file lets them be.
    hint
        What to do, added to the error.

    Raises InputError naming ``path`` if it is damaged, packed, holds anything else, declares more
    than it holds, or takes more memory than there is.
    """
    import torch  # takes seconds; most of what is read is not of torch

    try:
        archive = _look(path)
        mapped = mapped and archive
        if not mapped:
            check_memory(path.stat().st_size, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are refused in the next line
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except InputError:
        raise
    except _NotPlainError as error:
        said = f"{path}: refused, it holds objects that could run code or fill the memory{hint}"
        raise InputError(said) from error
    except Exception as error:  # pickles raise whatever they cause
        if memory_refused(error):
            raise too_large(str(path)) from error
        raise InputError(f"{path}: refused, it is damaged or no {kind}{hint}") from error
    _check_size(found, path)
    return found


class _NotPlainError(ValueError):
    """A pickle names what is neither a tensor nor a plain value."""


def _look(path: Path) -> bool:
    """Whether a file is an archive; its pickles and how it is packed are looked at.

    Raises InputError naming ``path`` if it unpacks to more than it is, ``_NotPlainError`` if it
    names anything but tensors and plain values, other errors if it is damaged.
    """
    with path.open("rb") as stream:
        archive = stream.read(len(_ARCHIVE)) == _ARCHIVE
        stream.seek(0)
        if archive:
            _look_into(stream, path)
        else:
            for _ in range(_OLD_PICKLES):
                _check_names(stream, path)
    return archive


def _look_into(stream: IO[bytes], path: Path) -> None:
    size = path.stat().st_size
    with zipfile.ZipFile(stream) as archive:
        parts = archive.infolist()
        if archive.start_dir != _directory(stream, size):
            raise InputError(f"{path}: refused, it has two directories of its parts")
        packed = any(
            p.compress_type != zipfile.ZIP_STORED or p.file_size > p.compress_size for p in parts
        )
        if packed:
            raise InputError(f"{path}: refused, it is packed, which torch.save never does")
        if sum(p.file_size for p in parts) > size:
            raise InputError(f"{path}: refused, its parts lie one upon the other")
        for part in parts:
            # The reader of PyTorch takes a name in whatever case.
            if part.orig_filename.lower().endswith("data.pkl"):
                check_memory(part.file_size, path)
                _check_names(io.BytesIO(archive.read(part)), path)


def _directory(stream: IO[bytes], size: int) -> int:
    """Where the list of its parts begins, by what an archive says at its end.

    PyTorch believes that; Python takes what lies right before the end. Raises BadZipFile where the
    end is not as ``torch.save`` writes it.
    """
    stream.seek(size - _END - _LOCATOR)
    locator, end = stream.read(_LOCATOR), stream.read(_END)
    if not end.startswith(b"PK\5\6"):
        raise zipfile.BadZipFile("something follows the end")
    if not locator.startswith(b"PK\6\7"):
        return int.from_bytes(end[16:20], "little")
    stream.seek(size - _END - _LOCATOR - _RECORD)
    place = stream.tell()
    record = stream.read(_RECORD)
    if int.from_bytes(locator[8:16], "little") != place or not record.startswith(b"PK\6\6"):
        raise zipfile.BadZipFile("the end is not where it is said to be")
    return int.from_bytes(record[48:56], "little")


def _check_names(stream: IO[bytes], path: Path) -> None:
    """Refuse a pickle that names more than tensors and plain values, or is longer than any is."""
    for number, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        if operation.name == "GLOBAL" and not _PLAIN.fullmatch(str(argument)):
            raise _NotPlainError(str(argument))
        if number > _MOST_OPERATIONS:
            raise InputError(f"{path}: refused, it holds over {_MOST_OPERATIONS:,} values")


def _check_size(found: Any, path: Path) -> None:
    """Refuse tensors that declare more numbers than lie in the file."""
    import torch

    size, held, storages = path.stat().st_size, 0, set[int]()
    seen: set[int] = set()
    waiting = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            if storage._cdata not in storages:
                storages.add(storage._cdata)
                held += storage.nbytes()
            if value.nbytes > storage.nbytes() or held > size:
                raise InputError(
                    f"{path}: refused, it declares {tuple(value.shape)} and holds less"
                )
        elif isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value.keys(), *value.values()] if isinstance(value, dict) else value
