"""What a benchmark says on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mua_decode.runs.progress import console

_FURTHER = {
    "subsets/ratio": "64 subsets of regions: {:.2f} times",
    "epoch/loader_step_ratio": "epoch, everything laid out over compact: {:.2f}",
    "data/peak_mib": "paper-size data set: {:.0f} MiB",
}


def show(flat: Mapping[str, Any], path: Path) -> None:
    """Print the short version, and where the whole is."""
    table = Table(title=f"{flat['machine']}, torch {flat['torch']}", box=SIMPLE_HEAD)
    for column in ("", "plain ms", "fast ms", "plain / fast", "of the peak"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for kind in ("train_step", "forward_backward", "inference", "latency"):
        numbers = [f"{flat[f'{kind}/{name}']:.2f}" for name in ("plain_ms", "fast_ms", "ratio")]
        table.add_row(kind, *numbers, f"{flat[f'{kind}/fast_utilisation']:.0%}")
    if "peak_memory/ratio" in flat:
        plain, fast = (f"{flat[f'peak_memory/{n}_mib']:.0f} MiB" for n in ("plain", "fast"))
        table.add_row("peak_memory", plain, fast, f"{flat['peak_memory/ratio']:.2f}", "")
    console.print(table)
    lines = [text.format(flat[key]) for key, text in _FURTHER.items() if key in flat]
    for line in (*lines, f"numbers  {path}"):
        console.print(line, highlight=False, soft_wrap=True)
