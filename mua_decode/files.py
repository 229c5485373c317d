"""Files written whole or not at all, and what they hold told by a checksum."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a place beside ``path`` to write a file or fill a folder; it takes the name at the end.

    Where the block raises, ``path`` stays as it was and nothing is left beside it. The place keeps
    the suffix of ``path`` and is unique to this process; folders above it are made.

    Yields
    ------
    Path
        Where to write; nothing is there yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text)


def sha256(paths: Iterable[Path]) -> str:
    """SHA-256 of the contents of files, in the order given, as hexadecimal text."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
