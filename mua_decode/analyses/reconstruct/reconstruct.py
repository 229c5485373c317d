"""What a decoder decodes: its videos, and what is seen in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mua_decode.files import whole, write_text
from mua_decode.metrics import VideoMetric
from mua_decode.runs.progress import hushed
from mua_decode.runs.run import Run
from mua_decode.runs.score import competitors
from mua_decode.scoring.averages import Averages, as_bytes, batches_of, first_trials
from mua_decode.scoring.measures import measure_videos


@torch.inference_mode()
def reconstruct(
    run: Run,
    folder: Path,
    *,
    trials_per_condition: int | None,
    metrics: Sequence[VideoMetric],
) -> None:
    """Keep decoded videos of every condition, averages over trials and one trial each, and measure.

    Floors and ceilings are measured on the same trials; what counts as true is the mean video of
    the part's own variants. Writes ``films.npz``, uint8 (K, C, T, H, W) each, and
    ``measures.csv``.

    Parameters
    ----------
    run
        Trained.
    trials_per_condition
        Trials that are averaged; ``None``: all.
    metrics
        Say how cue shape, colour and motion are measured.
    """
    data, part = run.data, run.scored_part
    averages = Averages(data.mean_videos(None))
    rows = first_trials(data, part, trials_per_condition)
    for _ in averages.over(lambda batch: run.decode(batch.spikes), batches_of(data, part, rows)):
        pass
    _, first = np.unique(data.dataset(part).pseudo.condition, return_index=True)
    one_each = data.dataset(part).__getitems__(first.tolist())
    with hushed():
        seen = {n: as_bytes(predict(one_each).cpu()) for n, predict in competitors(run).items()}
    conditions = averages.present.numpy()
    arrays = {
        "average": as_bytes(averages.decoded),
        "single": seen.pop("decoder"),
        "shown": as_bytes(one_each.video),
        "true": as_bytes(data.mean_videos(part)[conditions]),
        "condition": conditions,
    }
    with whole(folder / "films.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    compared = {
        "decoded, one trial": arrays["single"],
        "decoded, trial average": arrays["average"],
        **{f"{name}, one trial": video for name, video in seen.items()},
        "ceiling/one true video": arrays["shown"],
    }
    shared: Any = {"conditions": conditions, "stimuli": data.stimuli, "metrics": metrics}
    measured = [
        measure_videos(videos, arrays["true"], **shared).assign(videos=name)
        for name, videos in compared.items()
    ]
    text = pd.concat(measured).to_csv(index=False, float_format="%.6g")
    write_text(folder / "measures.csv", text)
