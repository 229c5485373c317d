"""A question: asked of a finished run as ``mua-decode lab_timing run_dir=...``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from mua_decode.runs.run import Run


@torch.no_grad()
def timing(run: Run, folder: Path, part: str = "test") -> pd.DataFrame:  # noqa: ARG001
    """Squared error of every bin: when in the trial does the decoder know?

    ``run`` is open: ``run.data``, ``run.decode``, ``run.recording``. The table that is returned is
    written to ``folder/lab_timing.csv``; a ``Findings`` would be written and shown as a whole.
    """
    total, number = torch.zeros(run.data.n_bins), 0
    for batch in run.data.batches(part):
        decoded = run.decode(batch.spikes).cpu()
        total += (decoded - batch.video).square().mean(dim=(1, 3, 4)).sum(0)
        number += len(decoded)
    return pd.DataFrame({"bin": range(len(total)), "mse": (total / max(number, 1)).tolist()})
