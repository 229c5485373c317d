"""Small honest files of every kind that is read, how they are read, and how they are damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
import yaml
from omegaconf import OmegaConf

from mua_decode.recordings import (
    read_arrays,
    read_lab_sessions,
    read_native,
    read_nwb,
    read_tensors,
    read_v4_images,
    write_nwb,
    write_recording,
)
from mua_decode.recordings.pictures import read_frames
from mua_decode.runs.build import build_recording
from mua_decode.runs.config import compose
from mua_decode.runs.run import Run
from mua_decode.sweep.plan import Sweep
from mua_decode.sweep.study import SharedStudy
from mua_decode.sweep.worker import open_shared
from mua_decode.types import Recording
from tests.faults.mutations import (
    Mutation,
    spoil_array,
    spoil_bytes,
    spoil_hdf5,
    spoil_text,
    spoil_zip,
)
from tests.recordings.layouts import CODES, MATCH, write_arrays, write_lab, write_tensors
from tests.stored_run import write_run

HONEST = 64 << 20  # bytes an honest small recording takes, with what is computed from it


@dataclass(frozen=True)
class Reader:
    """A kind of file: the folder of an honest one, the files to damage, and how it is read."""

    name: str
    make: Callable[[Path], None]
    targets: tuple[str, ...]  # patterns
    read: Callable[[Path], object]
    ways: tuple[Mutation, ...]
    names: tuple[str, ...] = ()  # what an error may hold in place of the file's name


def small() -> Recording:
    """Eight conditions of the task, one session of seven sites, 16 trials."""
    options = [
        "recording=simulated_small",
        "recording.stimulus.frame.resolution=0.5",
        "recording.stimulus.variants=2",
        "recording.population.sessions=1",
        "recording.population.trials_per_condition=2",
        *(f"recording.population.regions.{r}.sites=1" for r in ("PFC", "FEF", "LIP", "MT", "IT")),
        "recording.population.regions.V4.sites=2",
    ]
    return build_recording(compose("inspect", options))


def readers(recording: Recording) -> dict[str, Reader]:
    """Every kind of file by its name in the table."""
    lab = {"match": MATCH, "codes": CODES, "stimuli": recording.stimuli}
    sizes: dict[str, int] = {}
    for region in recording.sessions[0].sites.region.tolist():
        sizes[region] = sizes.get(region, 0) + 1

    def arrays(folder: Path, *, packed: bool) -> None:
        write_arrays(recording, folder, packed=packed)

    def tensors(folder: Path) -> object:
        return read_tensors(
            str(folder), sites=list(sizes.items()), bin_s=0.1, video_max=1, standardised=False
        )

    found = [
        Reader(
            "native", lambda f: write_recording(recording, f / "r.h5"), ("r.h5",),
            lambda f: read_native(f / "r.h5"), (spoil_bytes, spoil_hdf5),
        ),
        Reader(
            "nwb", lambda f: write_nwb(recording, f), ("*.nwb",),
            lambda f: read_nwb(str(f)), (spoil_bytes, spoil_hdf5),
        ),
        Reader(
            "matlab_v5", lambda f: write_lab(recording, f, kind="v5"), ("*.mat",),
            lambda f: read_lab_sessions(str(f), **lab), (spoil_bytes,),
        ),
        Reader(
            "matlab_v73", lambda f: write_lab(recording, f, kind="v73"), ("*.mat",),
            lambda f: read_lab_sessions(str(f), **lab), (spoil_bytes, spoil_hdf5),
        ),
        Reader(
            "npz", lambda f: arrays(f, packed=True), ("all.npz",),
            lambda f: read_arrays(str(f / "all.yaml")), (spoil_bytes, spoil_array),
            names=("all.yaml",),
        ),
        Reader(
            "npy", lambda f: arrays(f, packed=False), ("*.npy",),
            lambda f: read_arrays(str(f / "all.yaml")), (spoil_bytes, spoil_array),
            names=("all.yaml",),
        ),
        Reader(
            "yaml", lambda f: arrays(f, packed=True), ("all.yaml",),
            lambda f: read_arrays(str(f / "all.yaml")), (spoil_text, spoil_text, spoil_bytes),
            names=("all.npz",),
        ),
        Reader(
            "csv", lambda f: arrays(f, packed=True), ("*_trials.csv",),
            lambda f: read_arrays(str(f / "all.yaml")), (spoil_bytes,), names=("all.yaml",),
        ),
        Reader(
            "pt", lambda f: _tensors(recording, f), ("*.pt",), tensors, (spoil_bytes, spoil_array),
            names=("/pt/work",),
        ),
        Reader(
            "zip", _pictures, ("images_1.zip",),
            lambda f: read_v4_images(str(f), session=1), (spoil_bytes, spoil_zip),
            names=("/zip/work",),
        ),
        *(
            Reader(
                kind, lambda f, kind=kind: _film(f, kind), (f"a.{kind}",),
                lambda f, kind=kind: sum(1 for _ in read_frames(f / f"a.{kind}")), (spoil_bytes,),
            )
            for kind in ("mp4", "avi", "gif", "png", "tif", "jpg")
        ),
        *_run_files(),
    ]  # fmt: skip
    return {reader.name: reader for reader in found}


def _tensors(recording: Recording, folder: Path) -> None:
    write_tensors(recording, folder, kind="pt")


def _pictures(folder: Path) -> None:
    import zipfile

    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "images_1.zip", "w") as archive:
        for i in range(4):
            image = rng.integers(0, 256, (12, 12, 3), np.uint8)
            archive.writestr(f"image{i:04d}.png", cv2.imencode(".png", image)[1].tobytes())
    np.save(folder / "responses_1.npy", np.arange(8.0).reshape(2, 4))


def _film(folder: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
    if kind in ("png", "tif", "jpg"):
        iio.imwrite(folder / f"a.{kind}", frames[0])
    elif kind == "gif":
        iio.imwrite(folder / "a.gif", frames, plugin="pillow", duration=100)
    else:
        iio.imwrite(folder / f"a.{kind}", frames, plugin="FFMPEG", fps=10)


def _run_files() -> list[Reader]:
    """The files of a run's folder, and of a sweep's."""

    def run(folder: Path) -> None:
        stored, _ = write_run(folder / "run")
        write_recording(stored, folder / "r.h5")
        path = folder / "run" / "config.yaml"
        cfg = yaml.safe_load(path.read_text())
        target = "mua_decode.recordings.read_native"
        cfg["recording"] = {"_target_": target, "path": str(folder / "r.h5"), "verify": True}
        path.write_text(yaml.safe_dump(cfg, sort_keys=False))

    def opened(folder: Path) -> object:
        found = Run.open(folder / "run")
        return found.network, found.population

    def built(folder: Path) -> object:
        found = Run.open(folder / "run")
        return found.data.dataset("test"), found.network

    def study(folder: Path) -> None:
        options = ["recording=simulated_small", "sweep.n_trials=3", "sweep.pruner=null"]
        cfg = compose("sweep", [*options, f"out_dir={folder}"])
        shared = SharedStudy(Sweep.open(cfg, folder).plan, folder)
        shared.lay_out()
        shared.storage.engine.dispose()
        saved = yaml.safe_dump(OmegaConf.to_container(cfg, resolve=True))
        (folder / "sweep.yaml").write_text(saved)

    def joined(folder: Path) -> object:
        sweep = open_shared(folder)
        shared = SharedStudy(sweep.plan, folder)
        shared.join(sweep.fingerprint)
        shared.lay_out()
        return shared.slots()

    return [
        Reader(
            "checkpoint", run, ("run/checkpoints/best.ckpt",), opened, (spoil_bytes, spoil_array)
        ),
        Reader("population.json", run, ("run/population.json",), opened, (spoil_text, spoil_bytes)),
        Reader(
            "config.yaml", run, ("run/config.yaml",), built, (spoil_text, spoil_text, spoil_bytes)
        ),
        Reader("study", study, ("study.db",), joined, (spoil_bytes,), names=("storage", "study")),
        Reader(
            "sweep.yaml",
            study,
            ("sweep.yaml",),
            joined,
            (spoil_text, spoil_bytes),
            names=("/work holds another sweep",),
        ),
    ]


def fresh(reader: Reader, honest: Path, place: Path) -> Path:
    """Copy the honest folder to a place that is emptied first."""
    if place.exists():
        shutil.rmtree(place)
    shutil.copytree(honest, place)
    return place
