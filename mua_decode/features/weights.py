"""Weights of a published network, from a file the user gives."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mua_decode.files import sha256 as checksum
from mua_decode.saved import load_saved
from mua_decode.types import InputError

_LONGEST_HEADER = 1 << 24  # bytes; a hundred thousand tensors have as much
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16}
_DTYPES |= {"BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8}


def load_weight_file(
    network: nn.Module, path: str | Path | None, *, sha256: str | Sequence[str] | None
) -> None:
    """Load a state dict into ``network``; nothing in the file can run code.

    The file is one of ``torch.save(state_dict)``, or safetensors (``.safetensors``).
    ``sha256`` is the expected checksum, or its first digits, or several of which one must fit;
    ``None`` accepts any file that fits the network. Raises InputError if the file is missing,
    damaged, of another network, or has another checksum.
    """
    if not path:
        raise InputError("features: weights is not set; give the path of the network's weight file")
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"features: no such weight file: {file}")
    if file.suffix == ".safetensors":
        try:
            state: Any = read_safetensors(file)
        except Exception as error:
            raise InputError(f"{file}: refused, it is damaged or no safetensors file") from error
    else:
        state = load_saved(file, "state dict of tensors")
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"{file}: holds no state dict of tensors")
    _check_fit(network, state, file)
    digest = checksum([file])
    known = [sha256] if isinstance(sha256, str) else list(sha256 or ())
    if known and not any(digest.startswith(k.lower()) for k in known):
        raise InputError(
            f"{file}: SHA-256 is {digest[:12]}..., expected {' or '.join(k[:12] for k in known)}; "
            "give features.NAME.sha256 the checksum of your file if you mean it"
        )
    network.load_state_dict(state)


def read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file by name; memory is that of the tensors.

    Eight bytes of length, a JSON header of dtypes, shapes and offsets, then the numbers, little
    endian (github.com/huggingface/safetensors, format). Raises ValueError if it is damaged.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        size = file.stat().st_size - 8 - length
        if not 0 < length <= _LONGEST_HEADER or size < 0:
            raise ValueError("no header")
        header: dict[str, dict[str, Any]] = json.loads(stream.read(length))
        found, left = {}, size
        for name, about in header.items():
            if name == "__metadata__":
                continue
            start, stop = about["data_offsets"]
            dtype, shape = _DTYPES[about["dtype"]], tuple(about["shape"])
            left -= stop - start  # no two share their numbers
            if not 0 <= start <= stop <= size or left < 0:
                raise ValueError(f"{name} lies outside the file, or upon another")
            stream.seek(8 + length + start)
            values = bytearray(stream.read(stop - start))
            if len(values) != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{name} is not of its shape")
            flat = torch.frombuffer(values, dtype=dtype) if values else torch.empty(0, dtype=dtype)
            found[name] = flat.view(shape)
    return found


def _check_fit(network: nn.Module, state: dict[str, torch.Tensor], file: Path) -> None:
    own = network.state_dict()
    kind = type(network).__name__
    missing = [k for k in own if k not in state]
    extra = [k for k in state if k not in own]
    if missing or extra:
        what = f"lacks '{missing[0]}'" if missing else f"has '{extra[0]}' beside them"
        raise InputError(f"{file}: is the weight file of another network, not {kind} (it {what})")
    for key, value in own.items():
        if state[key].shape != value.shape:
            raise InputError(
                f"{file}: is the weight file of another network, not {kind} ('{key}' must be "
                f"{tuple(value.shape)}, found {tuple(state[key].shape)})"
            )
