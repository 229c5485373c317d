"""A recording by its path, and a command by its name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from mua_decode import recordings
from mua_decode.commands.main import entry
from mua_decode.runs.config import compose
from mua_decode.runs.instantiate import check_targets
from mua_decode.runs.quiet import quiet
from mua_decode.runs.typed import carried_out
from mua_decode.types import InputError, Recording


def read_recording(path: str | Path, **options: Any) -> Recording:
    """Read a recording, the reader chosen by what lies at the path.

    Parameters
    ----------
    path
        An ``.nwb`` file or a folder of them; a file written by ``mua-decode`` (``.h5``); a
        ``.npz`` or ``.yaml`` of arrays; the folder of the published V1 movies.
    options
        Handed to the reader: :func:`mua_decode.read_nwb`, :func:`mua_decode.read_native`,
        :func:`mua_decode.read_arrays`, :func:`mua_decode.read_v1_movies`.

    Raises
    ------
    InputError
        If nothing is there, or it is not one of these.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder")
    suffix = place.suffix.lower()
    if suffix == ".nwb" or (place.is_dir() and any(place.glob("*.nwb"))):
        return recordings.read_nwb(str(place), **options)
    if suffix in (".h5", ".hdf5"):
        return recordings.read_native(place, **options)
    if suffix in (".npz", ".yaml", ".yml"):
        return recordings.read_arrays(str(place), **options)
    if (place / "V1_responses").is_dir():
        return recordings.read_v1_movies(str(place), **options)
    raise InputError(
        f"{place}: is no recording whose kind shows; use read_nwb, read_native, read_arrays, "
        "read_tensors, read_lab_sessions, read_v1_movies or read_v4_images"
    )


def run_command(command: str, *overrides: str) -> Any:
    """Run a command of ``mua-decode`` in this process.

    Parameters
    ----------
    overrides
        Options as on the command line, ``"run_dir=runs/first"``.

    Returns
    -------
    What the command returns, for most the flat scores of ``metrics.json``.

    Raises
    ------
    InputError
        Where the command line would print one line and stop.
    """
    run = entry(command)
    cfg = compose(command, list(overrides))
    check_targets(cfg)
    with warnings.catch_warnings(), carried_out(command, overrides, cfg):
        quiet()
        return run(cfg)
