"""Table of the paper: what is found in noise."""

from __future__ import annotations

import pandas as pd

from mua_decode.report.paper import (
    PaperTable,
    Results,
    or_not,
)


def noise(results: Results) -> PaperTable:
    """S20: what is found in noise."""
    rows = []
    for protocol in results.protocols:
        found = results.canary(protocol)
        if found is not None:
            rows.append({"protocol": protocol, **found})
    title = "Noise control: identification on Poisson noise of the recording's own rates"
    frame = pd.DataFrame(rows) if rows else None
    return or_not("S20_noise", title, frame, results.reason("noise", "not done"))
