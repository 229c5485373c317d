"""Epochs over a data set of the published size: compact storage beside everything laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.benchmark.timing import time_alternately
from mua_decode.benchmark.workloads import Sizes, Workload
from mua_decode.data import DecodingData, PseudoTrialPlan, SplitPlan
from mua_decode.data.dataset import Batch
from mua_decode.types import Recording, Segment, Session, SiteTable, StimulusSet

_CONDITIONS, _BINS, _SITES, _SESSIONS, _TRIALS = 64, 45, 140, 6, 20
_BATCH = 64


def paper_size_recording(variants: int = 60) -> Recording:
    """64 conditions with `variants` videos of 45 frames (3, 32, 32); 140 sites in six sessions."""
    rng = np.random.default_rng(0)
    videos = np.empty((_CONDITIONS * variants, _BINS, 3, 32, 32), np.uint8)
    for video in videos:
        video[:] = np.frombuffer(rng.bytes(video.size), np.uint8).reshape(video.shape)
    stimuli = StimulusSet(
        videos=videos,
        condition=np.repeat(np.arange(_CONDITIONS), variants),
        conditions=pd.DataFrame({"name": [f"c{k}" for k in range(_CONDITIONS)]}),
        segments=(Segment("all", 0, _BINS),),
        frame_s=0.1,
    )
    sessions = []
    for s, columns in enumerate(np.array_split(np.arange(_SITES), _SESSIONS)):
        n = len(columns)
        names = np.array([f"{s}-{i}" for i in columns])
        regions, session, subject = (np.full(n, text) for text in ("V4", f"s{s}", "A"))
        table = SiteTable(site_id=names, region=regions, session=session, subject=subject)
        condition = np.repeat(np.arange(_CONDITIONS), _TRIALS)
        counts = rng.poisson(4.0, (len(condition), _BINS, n)).astype(np.uint16)
        shown = pd.DataFrame({"condition": condition})
        sessions.append(Session(name=f"s{s}", sites=table, trials=shown, counts=counts, bin_s=0.1))
    return Recording(name="paper size", sessions=tuple(sessions), stimuli=stimuli)


def paper_size_data(recording: Recording, per_condition: int, *, resident: bool) -> DecodingData:
    """Lay `per_condition` pseudo-trials per condition of `recording` out for training."""
    return DecodingData(
        recording,
        window=None,
        split=SplitPlan(),
        pseudo=PseudoTrialPlan(per_condition=per_condition),
        resident=resident,
        batch_size=_BATCH,
    )


class _LaidOut:
    """Every pseudo-trial with a video of its own, float32, read by index: quick and large."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        spikes, videos = zip(*((b.spikes, b.video) for b in batches), strict=True)
        self.spikes, self.video = torch.cat(spikes), torch.cat(videos)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.randperm(len(self.video)).split(_BATCH):
            yield self.spikes[rows], self.video[rows]


def epoch_times(
    *, variants: int = 60, per_condition: int = 64, rounds: int = 5, steps: int = 4
) -> dict[str, float]:
    """Seconds of an epoch, loaders alone and with training steps, all loaders in turn.

    ``rounds`` epochs of each loader alone, ``steps`` batches with a training step each. 64
    pseudo-trials per condition, an eighth of the published number, take at most 2.2 GiB as
    single-precision videos.

    Returns
    -------
    dict
        ``NAME_s`` and ``NAME_step_s`` for "laid_out", "loader" and "resident";
        ``NAME_ratio`` and ``NAME_step_ratio``, seconds of "laid_out" over those of the others;
        ``laid_out_mib`` and ``videos_mib``, what the videos take either way.
    """
    recording = paper_size_recording(variants)
    ours = [paper_size_data(recording, per_condition, resident=r) for r in (False, True)]
    laid_out = _LaidOut(ours[0].train_dataloader())
    loaders: dict[str, Iterable[tuple[Tensor, ...]]] = {
        "laid_out": laid_out,
        "loader": ours[0].train_dataloader(),
        "resident": ours[1].train_dataloader(),
    }
    work = Workload("auto", Sizes(batch=_BATCH))

    def run(batches: Iterable[tuple[Tensor, ...]], most: int | None) -> Callable[[], None]:
        def epoch() -> None:
            for number, (spikes, video, *_) in enumerate(batches):
                if number == most:
                    break
                if most is not None:
                    work.spikes, work.video = spikes, video
                    work.step()

        return epoch

    out = {
        "laid_out_mib": laid_out.video.nbytes / 2**20,
        "videos_mib": recording.stimuli.videos.nbytes / 2**20,
    }
    for label, most, repeats in (("", None, rounds), ("_step", steps, max(1, rounds // 2))):
        programs = {name: run(batches, most) for name, batches in loaders.items()}
        times = time_alternately(programs, rounds=repeats)
        for name, timing in times.items():
            out[f"{name}{label}_s"] = timing.median
            if name != "laid_out":
                out[f"{name}{label}_ratio"] = timing.ratio_to(times["laid_out"])
    return out
