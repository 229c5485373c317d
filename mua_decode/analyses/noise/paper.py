"""Section of the paper: what is found in noise."""

from __future__ import annotations

import pandas as pd

from mua_decode.report import Section
from mua_decode.report.paper import PaperTable, Results, Tables, paper_section


def noise(results: Results) -> PaperTable:
    """S20: what is found in noise."""
    found = {p: results.canary(p) for p in results.protocols}
    rows = [{"protocol": p, **f} for p, f in found.items() if f is not None]
    title = "Noise control: identification on Poisson noise of the recording's own rates"
    if rows:
        return PaperTable("S20_noise", title, pd.DataFrame(rows), step="noise")
    return PaperTable("S20_noise", title, None, results.reason("noise", "not done"), "noise")


def section(tables: Tables) -> Section:
    """What the protocols find in noise."""
    text = [
        "Every site is replaced by Poisson noise of its own mean rate; sessions, trials and "
        "conditions stay. Whatever is identified above chance is made by the protocol."
    ]
    return paper_section("Noise control", text, [tables["S20"]])
