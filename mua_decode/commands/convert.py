"""Write any recording as one native file, or as NWB files."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from mua_decode.recordings import write_nwb, write_recording
from mua_decode.runs.build import build_recording
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import console, working
from mua_decode.types import InputError

_FORMATS = ("native", "nwb")


def run(cfg: DictConfig) -> None:
    """Read a recording of any kind and write it as one checked HDF5 file, or as NWB files."""
    if cfg.format not in _FORMATS:
        raise InputError(f"format: expected {' or '.join(_FORMATS)}, found '{cfg.format}'")
    if not cfg.out:
        kind = "a file: out=FILE.h5" if cfg.format == "native" else "a folder: out=FOLDER"
        raise InputError(f"out is not set; give {kind}")
    out = Path(cfg.out).expanduser()
    if cfg.format == "native" and out.is_dir():
        raise InputError(f"out: {out} is a folder; format=native writes a file: out=FILE.h5")
    if cfg.format == "nwb" and out.is_file():
        raise InputError(f"out: {out} is a file; format=nwb writes one per session: out=FOLDER")
    write(cfg, out, cfg.format)


def write(cfg: DictConfig, out: Path, kind: str) -> None:
    """Write the recording that a config names as ``native`` or ``nwb``, and say what it holds."""
    RunFolder.create(str(out if kind == "nwb" else out.parent), "convert", shared=True)
    recording = build_recording(cfg)
    files = [out]
    with working(f"writing {out}"):
        if kind == "nwb":
            files = write_nwb(recording, out, species=cfg.species, age=cfg.age)
        else:
            write_recording(recording, out)
    size = sum(f.stat().st_size for f in files)
    console.print(
        f"{len(recording.sessions)} sessions, {len(recording.sites)} sites, "
        f"{recording.stimuli.n_conditions} conditions -> {out} ({size / 1e6:.0f} MB)\n"
        f"inspect it with: mua-decode inspect recording={kind} recording.path={out}",
        highlight=False,
    )
