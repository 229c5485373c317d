"""A recording format: called once, with the options of its config; returns a ``Recording``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode import Recording
from mua_decode.types import InputError, Segment, Session, SiteTable, StimulusSet


def read_lab_npz(path: str | None = None, frame_s: float = 0.1, bin_s: float = 0.1) -> Recording:
    """Read ``counts`` (trials, bins, sites), ``condition`` (trials,), ``region`` (sites,) and
    ``videos`` (conditions, frames, height, width), uint8, from one NPZ file.
    """
    if path is None or not Path(path).expanduser().is_file():
        raise InputError(f"recording.path: there is no file {path}")
    with np.load(Path(path).expanduser(), allow_pickle=False) as file:
        counts, condition = file["counts"], file["condition"]
        region, videos = file["region"], file["videos"]
    n_sites, n_conditions = counts.shape[2], len(videos)
    stimuli = StimulusSet(
        videos=videos[:, :, None],  # (videos, frames, channels, height, width)
        condition=np.arange(n_conditions),  # of every video
        conditions=pd.DataFrame({"name": [f"clip{k}" for k in range(n_conditions)]}),
        segments=(Segment("clip", 0, videos.shape[1], 1.0),),
        frame_s=frame_s,
    )
    sites = SiteTable(
        site_id=[f"s{i}" for i in range(n_sites)],
        region=region.astype(str).tolist(),
        session=["day1"] * n_sites,
        subject=["A"] * n_sites,
    )
    trials = pd.DataFrame({"condition": condition})
    session = Session(name="day1", sites=sites, trials=trials, counts=counts, bin_s=bin_s)
    return Recording(name=Path(path).stem, sessions=(session,), stimuli=stimuli)
