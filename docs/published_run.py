"""The curve of the published settings: scores and losses against steps.

    python docs/published_run.py

Drawn from ``published_run.csv``: what the run and the scored checkpoints of docs/results.md gave;
hours of training are not repeated here. Series without a step are floors.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib import pyplot as plt
from pictures import small_png
from PIL import Image

HERE = Path(__file__).parent
SCORES = {"identified": "o", "pixel r": "s", "cue r": "^", "SSIM": "D"}


def draw(table: pd.DataFrame) -> plt.Figure:
    """Scores on the left, lookup's as dotted lines of the same colour; losses on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for name, marker in SCORES.items():
        rows = table[table["series"] == name].sort_values("step")
        (line,) = left.plot(rows["step"], rows["value"], marker=marker, ms=4, label=name)
        (floor,) = table.loc[table["series"] == f"floor lookup: {name}", "value"]
        left.axhline(floor, color=line.get_color(), ls=":", lw=1)
    left.set(xlabel="steps of 14,336", ylabel="single trials, test part (LEAKING)", ylim=(0, 1.03))
    left.legend(frameon=False, fontsize=8, title="dotted: lookup floor", title_fontsize=8)
    for name in ("training", "validation"):
        rows = table[table["series"] == f"loss, {name}"]
        right.plot(rows["step"], rows["value"], marker=".", label=name)
    right.set(xlabel="steps of 14,336", ylabel="loss (published weights)", yscale="log")
    right.legend(frameon=False, fontsize=8)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    matplotlib.use("Agg")
    written = io.BytesIO()
    draw(pd.read_csv(HERE / "published_run.csv")).savefig(written, dpi=150)
    with Image.open(written) as picture:
        (HERE / "published_run.png").write_bytes(small_png(picture))
