"""Write any recording as one native file, or as NWB files."""

from __future__ import annotations

from omegaconf import DictConfig

from mua_decode.recordings import write_nwb, write_recording
from mua_decode.recordings.nwb.write import nwb_files
from mua_decode.runs.outlet import free, place_for
from mua_decode.runs.progress import console, working
from mua_decode.runs.reading import build_recording
from mua_decode.types import InputError

_FORMATS = ("native", "nwb")


def run(cfg: DictConfig) -> None:
    """Read a recording of any kind and write it as one checked HDF5 file, or as NWB files."""
    if cfg.format not in _FORMATS:
        raise InputError(f"format: expected {' or '.join(_FORMATS)}, found '{cfg.format}'")
    write(cfg, cfg.format)


def write(cfg: DictConfig, kind: str) -> None:
    """Write the recording that a config names as ``native`` or ``nwb``, and say what it holds."""
    out = place_for(cfg.out, a_file=kind == "native")
    if kind == "native":
        free([out], overwrite=cfg.overwrite)
    recording = build_recording(cfg)
    files = nwb_files(recording, out) if kind == "nwb" else [out]
    free(files, overwrite=cfg.overwrite)
    with working(f"writing {out}"):
        if kind == "nwb":
            write_nwb(recording, out, species=cfg.species, age=cfg.age)
        else:
            write_recording(recording, out)
    size = sum(f.stat().st_size for f in files)
    console.print(
        f"{len(recording.sessions)} sessions, {len(recording.sites)} sites, "
        f"{recording.stimuli.n_conditions} conditions -> {out} ({size / 1e6:.0f} MB)\n"
        f"inspect it with: mua-decode inspect recording={kind} recording.path={out}",
        highlight=False,
    )
