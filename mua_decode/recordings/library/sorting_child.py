"""Sorted units through SpikeInterface; see guarded_child.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import spikeinterface.core as core
import spikeinterface.extractors as extractors
from guarded_child import RefusedError, flat, plain_value  # type: ignore[import-not-found]

# By name and not through spikeinterface.load, which builds whatever class a file names.
_OURS = {
    "numpy_folder": core.read_numpy_sorting_folder,
    "npz_folder": core.read_npz_folder,
    "npz": core.read_npz_sorting,
}


def reader(name: str, kind: str) -> Any:
    """Return the function of SpikeInterface that reads a format."""
    if name == "python":
        raise RefusedError("format=python runs the file")
    found = _OURS.get(name) or getattr(extractors, f"read_{name}_{kind}", None)
    found = found or getattr(extractors, f"read_{name}", None)
    if found is None:
        known = sorted({n.removeprefix("read_") for n in dir(extractors) if n.startswith("read_")})
        raise RefusedError(f"SpikeInterface has no format '{name}'; it has {', '.join(known)}")
    return found


def read(request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what is known of the units, and their spike times in seconds."""
    found = reader(request["format"], "sorting")(request["path"], **request["options"])
    sorting = found[0] if isinstance(found, tuple) else found
    if not hasattr(sorting, "get_unit_spike_train"):
        raise RefusedError(f"format={request['format']} holds no sorted units; see recording=raw")
    if sorting.get_num_segments() != 1:
        raise RefusedError(f"it has {sorting.get_num_segments()} segments, expected one per file")
    ids = list(sorting.unit_ids)
    trains = [
        np.sort(np.asarray(sorting.get_unit_spike_train(u, segment_index=0, return_times=True)))
        for u in ids
    ]
    units = {"id": [str(u) for u in ids]}
    for key in sorting.get_property_keys():
        values = np.asarray(sorting.get_property(key))
        if values.ndim == 1 and key != "id":
            units[str(key)] = [plain_value(v) for v in values]
    return {"units": units, "tables": {}, "notes": []}, flat(trains)
