"""The sweep behind the video network of conf/experiment/v1_movies.yaml, judged on val.

    python benchmarks/sweep_v1_movies.py PATH [--epochs 20] [--out runs/sweep_v1_movies]

PATH holds V1_responses/ and images/. Every setting changes one thing of the experiment file. Runs
that are already there are kept, so an interrupted sweep goes on; the test part is never looked at.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from mua_decode.commands.main import main as mua_decode

NETWORK = ["experiment=v1_movies", "model=video_unet", "model.output_skip=true"]
SETTINGS: dict[str, list[str]] = {
    "as in the experiment": [],
    "no skip connections": ["model.skip_connections=none", "model.output_skip=false"],
    "MSE weight 1": ["loss.mse_weight=1.0"],
    "MSE weight 200": ["loss.mse_weight=200.0"],
    "raw counts": ["data.root=false"],
    "no dropout": ["model.spike_dropout=0.0"],
    "dropout 0.2": ["model.spike_dropout=0.2"],
    "width 32": ["model.width=32"],
    "learning rate 0.001": ["task.optimizer.lr=0.001"],
    "Adamax, learning rate 0.01": [
        "task.optimizer._target_=torch.optim.Adamax",
        "task.optimizer.lr=0.01",
    ],
}
COLUMNS = {
    "val/single_trial/pixel_correlation": "pixel correlation",
    "val/single_trial/identification": "identification",
}


def run_one(root: str, folder: Path, overrides: list[str], epochs: int) -> dict[str, float]:
    """Train one setting and score it on the validation part."""
    scored = folder / "evaluation_val_best" / "metrics.json"
    if not scored.is_file():
        resume = ["ckpt_path=last"] if (folder / "checkpoints" / "last.ckpt").is_file() else []
        options = [f"recording.root={root}", f"run_dir={folder}", f"trainer.max_epochs={epochs}"]
        nothing = ["floor=[]", "metric=[mse]"]
        mua_decode(["train", *NETWORK, *options, *nothing, *overrides, *resume])
        metrics = "metric=[pixel_correlation,identification]"
        mua_decode(["evaluate", f"run_dir={folder}", "part=val", "floor=[]", metrics])
    found = json.loads(scored.read_text())
    return {name: found[key] for key, name in COLUMNS.items()}


def main() -> None:
    """Run the sweep and write sweep.csv, best setting first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/sweep_v1_movies"))
    given = parser.parse_args()
    rows = {}
    for name, overrides in SETTINGS.items():
        folder = given.out / name.replace(" ", "_").replace(",", "")
        rows[name] = run_one(given.root, folder, overrides, given.epochs)
    table = pd.DataFrame(rows).T.sort_values("pixel correlation", ascending=False)
    table.to_csv(given.out / "sweep.csv", index_label="setting")
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
