"""A line of text before an HDF5 file that says what the rest of its bytes should be.

HDF5 leaves room for it (the user block) and reads on behind it. So every byte that HDF5 takes at
its word (names, links, types, attributes, where arrays lie) is checked before HDF5 sees any.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

from mua_decode.types import InputError

SEAL_BYTES = 512
_LINE = "mua-decode sealed file, version 1, {n_bytes} bytes, sha256 {digest}\n"
_READ = re.compile(rb"mua-decode sealed file, version 1, (\d+) bytes, sha256 ([0-9a-f]{64})\n\0*")
_SEALED = b"mua-decode sealed"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def seal(path: Path) -> None:
    """Write the line into the first 512 bytes of a file that has room for it there."""
    with path.open("r+b") as file:
        n_bytes, digest = _rest(file)
        line = _LINE.format(n_bytes=n_bytes, digest=digest).encode()
        file.seek(0)
        file.write(line.ljust(SEAL_BYTES, b"\0"))


def check_seal(path: Path) -> bool:
    """Whether a file carries the line.

    Raises InputError if it does and its bytes are not those the line tells of.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(SEAL_BYTES)
        if not head.startswith(_SEALED):
            # Files of ours without a line begin at once: what leaves room for one has lost it.
            if not head.startswith(_HDF5) and file.read(len(_HDF5)) == _HDF5:
                raise InputError(f"{path}: its first line is damaged; copy it again")
            return False
        known = _READ.fullmatch(head)
        n_bytes, digest = _rest(file)
    if known is None:
        raise InputError(f"{path}: its first line is damaged; copy it again")
    if n_bytes < int(known[1]):
        raise InputError(
            f"{path}: cannot be read, it is truncated ({n_bytes} of {int(known[1])} bytes)"
        )
    if (str(n_bytes), digest) != (known[1].decode(), known[2].decode()):
        raise InputError(f"{path}: contents do not match their checksum; copy it again")
    return True


def _rest(file: BinaryIO) -> tuple[int, str]:
    """Number and SHA-256 of the bytes behind the line."""
    file.seek(SEAL_BYTES)
    digest, n_bytes = hashlib.sha256(), 0
    while block := file.read(1 << 20):
        digest.update(block)
        n_bytes += len(block)
    return n_bytes, digest.hexdigest()
