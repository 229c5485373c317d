"""The figures of an ablation show what its printed table shows."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mua_decode.analyses.ablate.drawn import draw


def test_losses_are_drawn_of_every_metric_of_the_table() -> None:
    metrics = ("identification", "ssim", "pixel_correlation", "direction_error")
    rows = [(r, m, c, 0.1 * c) for r in ("V4", "MT") for m in metrics for c in range(4)]
    losses = pd.DataFrame(rows, columns=["removed", "metric", "condition", "loss"])
    losses = losses.assign(fill="shuffle", family="region", trial="single_trial", unit="1")
    columns = ["metric", "group", "test", "p", "p_corrected", "correction", "effect", "df"]
    tests = pd.DataFrame(columns=columns, dtype=object)
    empty = pd.DataFrame(columns=["fill", "metric", "trial", "family", "loss"])
    tables = {"losses": losses, "means": empty, "shapley": empty}
    drawn = draw(tables, tests, None, ["cue", "motion"], withheld=False).figures
    figures = {name: make() if callable(make) else make for name, make in drawn.items()}
    assert isinstance(figures["losses"], Figure)
    shown = [ax.get_ylabel() for ax in figures["losses"].axes]
    assert shown == ["condition identified", "SSIM", "pixel correlation", "direction error"]
    assert figures["shapley"] is None  # nothing to draw is no failure
    assert figures["segments"] is None
