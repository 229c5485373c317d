"""Is this the same run, on the same recording, with the same options?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mua_decode.runs.plan import plain

# Where a run lies, what it is called and who is told of it say nothing of what it computed.
_PLACE = ("run_dir", "ckpt_path", "name", "trusted", "logger", "watch", "figures")
# Where data lie and which kernel computes: the same mathematics.
_HOW = ("data.resident", "model.kernels")
# Options that runs of earlier versions do not name, and the value that says what they did.
_ALWAYS = {
    "data.standardisation": "train",
    "data.frames": "nearest",
    "data.lag_s": 0.0,
    "data.cut": None,
    "data.split.block_s": None,
    "data.split.guard_s": None,
    "model.video_activation": "squash",
    "weights": "best",
    "recording.stimulus.dots.speed_spread": 0.0,
}


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Everything a result depends on; two that do not differ stand for the same result.

    Parameters
    ----------
    options
        Value by dotted name, overrides applied.
    recording
        Checksum of the recording's content, which stands for the options of ``recording``: the
        same trials read from another place are the same. ``None``: not known.
    """

    options: Mapping[str, Any]
    recording: str | None = None

    @classmethod
    def of(cls, cfg: Any, recording: str | None = None, *, but: Sequence[str] = ()) -> Fingerprint:
        """Take that of a config, top-level options in ``but`` left out."""
        out = (*_PLACE, *but)
        flat = {
            k: v
            for k, v in flat_config(cfg).items()
            if k.split(".")[0] not in out and k not in _HOW and _ALWAYS.get(k, ...) != v
        }
        return cls(flat, recording)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole as hexadecimal text."""
        options = dict(self.options)
        if self.recording is not None:
            options = {k: v for k, v in options.items() if k.split(".")[0] != "recording"}
        text = json.dumps([options, self.recording], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def difference(self, other: Fingerprint, where: str = "there") -> str | None:
        """Say in one line what differs in another fingerprint, ``None`` if nothing does.

        Parameters
        ----------
        other
            Called "there", or as ``where`` says.
        """
        known = self.recording is not None and other.recording is not None
        for name in dict.fromkeys([*self.options, *other.options]):
            if known and name.split(".")[0] == "recording":
                continue
            here, there = (f.options.get(name, "not set") for f in (self, other))
            if here != there and not (here != here and there != there):  # both are NaN
                return f"{name} is {there} {where} and {here} here"
        if known and self.recording != other.recording:
            return (
                "recording: its content has changed, its checksum is "
                f"{str(other.recording)[:12]} {where} and {str(self.recording)[:12]} here"
            )
        return None


def flat_config(cfg: Any, prefix: str = "") -> dict[str, Any]:
    """Options by dotted name; lists are values."""
    found: dict[str, Any] = {}
    for key, value in plain(cfg).items():
        if isinstance(value, dict) and value:
            found |= flat_config(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
