"""Decode video from multi-unit activity, and ask what each brain region contributes."""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Loaded when first used, so that importing the package costs nothing. Looked up by name: the
# rooms import this package for its version and must not come to import each other through it.
_HOMES = {
    "mua_decode.api": (
        "DecodedTrials",
        "Decoder",
        "Reconstruction",
        "load_run",
        "read_recording",
        "run_command",
    ),
    "mua_decode.recordings": (
        "VideoSource",
        "read_arrays",
        "read_lab_sessions",
        "read_native",
        "read_nwb",
        "read_tensors",
        "read_v1_movies",
        "read_v4_images",
        "write_nwb",
        "write_recording",
    ),
    "mua_decode.types": (
        "InputError",
        "Recording",
        "Segment",
        "Session",
        "SiteTable",
        "SpikeTimes",
        "StimulusSet",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mua_decode' has no attribute '{name}'")
    found: object = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
