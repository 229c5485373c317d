"""Weights of a published network, from a file the user gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from mua_decode.files import sha256 as checksum
from mua_decode.limits import check_saved
from mua_decode.types import InputError


def load_weight_file(
    network: nn.Module, path: str | Path | None, *, sha256: str | Sequence[str] | None
) -> None:
    """Load a file of ``torch.save(state_dict)`` into ``network``; nothing in it can run code.

    ``sha256`` is the expected checksum, or its first digits, or several of which one must fit;
    ``None`` accepts any file that fits the network. Raises InputError if the file is missing,
    damaged, of another network, or has another checksum.
    """
    if not path:
        raise InputError("features: weights is not set; give the path of the network's weight file")
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"features: no such weight file: {file}")
    check_saved(file)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{file}: refused, it is damaged or holds more than tensors") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise InputError(f"{file}: holds no state dict")
    _check_fit(network, state, file)
    digest = checksum([file])
    known = [sha256] if isinstance(sha256, str) else list(sha256 or ())
    if known and not any(digest.startswith(k.lower()) for k in known):
        raise InputError(
            f"{file}: SHA-256 is {digest[:12]}..., expected {' or '.join(k[:12] for k in known)}; "
            "give features.NAME.sha256 the checksum of your file if you mean it"
        )
    network.load_state_dict(state)


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
