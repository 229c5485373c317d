"""What a reader of recordings is tried with: a small training, the command `inspect` names."""

from __future__ import annotations

import json
from pathlib import Path

from mua_decode.commands.main import main


def looked_up(run_dir: Path, *recording: str) -> float:
    """Train a tiny decoder on the recording and return the identification by lookup."""
    main(
        [
            "train", f"run_dir={run_dir}", *recording, "recording.videos.frame_s=0.1",
            "trainer.max_epochs=1", "model.width=2", "model.kernel_sizes=[3,3,3,3]",
            "model.spike_hidden=16", "data.pseudo.per_condition=20", "data.batch_size=16",
            "floor=[lookup]", "metric=[identification,mse]", "loss.normalisation=mean",
        ]
    )  # fmt: skip
    metrics = json.loads((run_dir / "metrics.json").read_text())
    return float(metrics["floor/lookup/single_trial/identification"])


def type_next(shown: str) -> None:
    """Run the command that `inspect` printed as the next one."""
    command = shown.rsplit("next: mua-decode ", 1)[1].strip().replace("REGION", "V1")
    main([word.strip("'") for word in command.split()])
