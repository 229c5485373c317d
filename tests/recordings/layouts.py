"""Writes one recording in the layouts that others use, with the libraries of those formats."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.io
import torch
import yaml

from mua_decode.data import Window, window_session
from mua_decode.recordings.nwb.write import as_spike_times
from mua_decode.types import Recording, Session

CUES = {1: "cross", 3: "circle"}
COLOURS = {180: "green", 0: "red"}
MATCH = {"cue": "cue", "colour": "color", "direction_deg": "direction"}
CODES = {"cue": CUES, "colour": COLOURS}


def write_lab(recording: Recording, folder: Path, *, kind: str) -> None:
    """Sessions as .mat: ``v5`` with tables inside, ``v73`` likewise, ``csv`` with tables beside."""
    folder.mkdir(parents=True, exist_ok=True)
    for session in recording.sessions:
        cells = lab_cells(session)
        tables = lab_tables(session)
        path = folder / f"{session.name}.mat"
        if kind == "v73":
            write_v73(path, {"spikeTimes": cells, **tables})
        elif kind == "v5":
            structs = {n: {c: _v5(t[c]) for c in t.columns} for n, t in tables.items()}
            scipy.io.savemat(path, {"spikeTimes": cells, **structs})
        else:
            scipy.io.savemat(path, {"spikeTimes": cells})
            for name, table in tables.items():
                table.to_csv(folder / f"{session.name}_{name.lower()}.csv", index=False)


def lab_cells(session: Session) -> np.ndarray:
    """Trials x units cells of seconds from cue onset, with one bad trial in front."""
    spikes = as_spike_times(session)
    cells = np.empty((session.n_trials + 1, len(session.sites)), object)
    order = np.lexsort((spikes.time_s, spikes.site, spikes.trial))
    time, trial, site = (a[order] for a in (spikes.time_s - 0.5, spikes.trial, spikes.site))
    flat = (trial + 1) * cells.shape[1] + site
    edges = np.searchsorted(flat, np.arange(cells.size + 1))
    for i in range(cells.size):
        cells.flat[i] = time[edges[i] : edges[i + 1]][:, None]
    cells[0, 0] = np.array([[0.1], [0.2]])
    return cells


def lab_tables(session: Session) -> dict[str, pd.DataFrame]:
    """Tables of a session as the lab names them."""
    trials = session.trials
    back = [{v: k for k, v in c.items()} for c in (CUES, COLOURS)]
    table = pd.DataFrame(
        {
            "cue": trials["cue"].map(back[0]),
            "color": trials["colour"].map(back[1]),
            "direction": trials["direction_deg"] % 360,
            "rule": ["motion"] * len(trials),
            "responseTime": np.linspace(0.2, 0.4, len(trials)),
            "badTrials": 0.0,
        }
    )
    table = pd.concat([table.iloc[:1].assign(badTrials=1.0), table], ignore_index=True)
    n = len(session.sites)
    units = pd.DataFrame({"electrode": np.arange(n) + 1, "name": session.sites.site_id})
    electrodes = pd.DataFrame({"electrode": np.arange(n) + 1, "area": session.sites.region})
    return {"trialInfo": table, "unitInfo": units, "electrodeInfo": electrodes}


def _v5(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "biuf":
        return column.to_numpy()[:, None]
    cells = np.empty((len(column), 1), object)
    cells[:, 0] = column.tolist()
    return cells


def write_v73(path: Path, variables: dict[str, object]) -> None:
    """HDF5 as MATLAB writes it: reversed axes, cells as references, text as character codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if isinstance(value, pd.DataFrame):
                group = file.create_group(name)
                group.attrs["MATLAB_class"] = np.bytes_("struct")
                for column in value.columns:
                    _v73(file, group, str(column), _v5(value[column]))
            else:
                _v73(file, file, name, value)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as stream:
        stream.write(head)


def _v73(file: h5py.File, group: h5py.Group, name: str, value: object) -> None:
    if isinstance(value, str):
        item = group.create_dataset(name, data=np.array([[ord(c)] for c in value], np.uint16))
        item.attrs["MATLAB_class"] = np.bytes_("char")
        return
    array = np.asarray(value)
    if array.dtype != object:
        if array.size:
            item = group.create_dataset(name, data=array.T)
        else:
            item = group.create_dataset(name, data=np.array(array.shape, np.uint64))
            item.attrs["MATLAB_empty"] = np.uint8(1)
        item.attrs["MATLAB_class"] = np.bytes_("double")
        return
    store = file.require_group("#refs#")
    references = np.empty(array.shape, h5py.ref_dtype)
    for i, cell in np.ndenumerate(array):
        key = f"r{len(store)}"
        _v73(file, store, key, cell)
        references[i] = store[key].ref
    item = group.create_dataset(name, data=references.T, dtype=h5py.ref_dtype)
    item.attrs["MATLAB_class"] = np.bytes_("cell")


def write_arrays(recording: Recording, folder: Path, *, packed: bool) -> Path:
    """Arrays in one .npz, or in .npy files, and the YAML file that describes them."""
    folder.mkdir(parents=True, exist_ok=True)
    stimuli = recording.stimuli
    arrays = {"videos": stimuli.videos, "video_condition": stimuli.condition}
    end = "" if packed else ".npy"
    sessions = []
    for s in recording.sessions:
        arrays |= {f"{s.name}_counts": s.counts, f"{s.name}_condition": s.condition}
        arrays |= {f"{s.name}_region": s.sites.region, f"{s.name}_id": s.sites.site_id}
        s.trials.to_csv(folder / f"{s.name}_trials.csv", index=False)
        sessions.append(
            {
                "name": s.name,
                "subject": str(s.sites.subject[0]),
                "counts": f"{s.name}_counts{end}",
                "condition": f"{s.name}_condition{end}",
                "region": f"{s.name}_region{end}",
                "site_id": f"{s.name}_id{end}",
                "trials": f"{s.name}_trials.csv",
                "bin_s": s.bin_s,
            }
        )
    described = {
        "name": recording.name,
        "sessions": sessions,
        "stimuli": {
            "videos": f"videos{end}",
            "condition": f"video_condition{end}",
            "conditions": stimuli.conditions.to_dict("list"),
            "frame_s": stimuli.frame_s,
            "segments": [[s.name, s.stop - s.start, s.weight] for s in stimuli.segments],
        },
    }
    (folder / "all.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    if packed:
        np.savez(folder / "all.npz", **arrays)
    else:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
    return folder / "all.yaml"


def write_tensors(recording: Recording, folder: Path, *, kind: str) -> np.ndarray:
    """The first session as pooled tensors: every trial with a video of its condition.

    Returns
    -------
    Index of the video of every trial.
    """
    folder.mkdir(parents=True, exist_ok=True)
    session, stimuli = recording.sessions[0], recording.stimuli
    counts = window_session(session, Window(width_s=0.1, step_s=0.1)).counts
    variants = len(stimuli.videos) // stimuli.n_conditions
    # Turned by trial within condition, so that every video is shown.
    turn = session.trials.groupby("condition").cumcount().to_numpy() % variants
    video = session.condition * variants + turn
    edges = [0, len(counts) // 2, 3 * len(counts) // 4, len(counts)]
    for part, first, last in zip(("train", "val", "test"), edges[:-1], edges[1:], strict=True):
        rows = slice(first, last)
        arrays = {
            "input": counts[rows].astype(np.float32),
            "output": (stimuli.videos[video[rows]] / 255).astype(np.float32),
            "condition": session.condition[rows],
        }
        for name, array in arrays.items():
            if kind == "npy":
                np.save(folder / f"{part}_{name}.npy", array)
            else:
                torch.save(torch.from_numpy(array.copy()), folder / f"{part}_{name}.pt")
    return video
