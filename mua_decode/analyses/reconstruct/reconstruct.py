"""The main decoder: its scores, its videos, and what is seen in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mua_decode.analyses.ablate.masks import no_mask
from mua_decode.analyses.ablate.scorer import MaskScorer
from mua_decode.files import write_text
from mua_decode.reproduce.protocol import Protocol
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.score import competitors
from mua_decode.runs.variants import Variant, hushed, run_variant
from mua_decode.scoring.measures import measure_videos


def decode_videos(protocol: Protocol, folder: Path) -> None:
    """Train and score the decoder, and keep and measure what it decodes."""
    run_variant(
        protocol.source, Variant("run", ()), folder, recording=protocol.recording, quiet=False
    )
    _films(protocol, folder)


def _films(protocol: Protocol, folder: Path) -> None:
    """Decoded videos of every condition, averages over trials and one trial each, and measures.

    Floors and ceilings are measured on the same trials; what counts as true is the mean video of
    the part's own variants.
    """
    trained = protocol.open()
    data, task = trained.data, trained.task
    part = "test" if len(data.dataset("test")) else "val"
    scorer = MaskScorer(
        task,
        data,
        part=part,
        metrics=[],
        fill="zero",
        batch_size=data.batch_size,
        trials_per_condition=protocol.size.trials_per_condition,
        device=task.device,
    )
    average = scorer.score(no_mask(data.pool.sites)).predicted
    condition = data.dataset(part).pseudo.condition
    rows = [int(np.flatnonzero(condition == k)[0]) for k in scorer.conditions]
    batch = data.dataset(part).__getitems__(rows)
    with hushed(), torch.inference_mode():
        seen = {
            name: _bytes(predict(batch).cpu())
            for name, predict in competitors(protocol.source, task, data).items()
        }
    assert average is not None
    arrays = {
        "average": average,
        "single": seen.pop("decoder"),
        "shown": _bytes(batch.video),
        "true": _bytes(data.mean_videos(part)[scorer.conditions]),
        "condition": scorer.conditions,
    }
    with (folder / "films.npz").open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    metrics = [instantiate(m) for m in protocol.cfg.metric.values()]
    compared = {
        "decoded, one trial": arrays["single"],
        "decoded, trial average": arrays["average"],
        **{f"{name}, one trial": video for name, video in seen.items()},
        "ceiling/one true video": arrays["shown"],
    }
    measured = [
        measure_videos(
            videos,
            arrays["true"],
            conditions=scorer.conditions,
            stimuli=data.stimuli,
            metrics=metrics,
        ).assign(videos=name)
        for name, videos in compared.items()
    ]
    text = pd.concat(measured).to_csv(index=False, float_format="%.6g")
    write_text(folder / "measures.csv", text)


def _bytes(video: torch.Tensor) -> np.ndarray:
    out: np.ndarray = (video * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return out
