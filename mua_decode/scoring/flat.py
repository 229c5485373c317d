"""Results as flat keys for ``metrics.json``."""

from __future__ import annotations

import math

from mua_decode.types import ResultTable


def flat_metrics(table: ResultTable) -> dict[str, float | None]:
    """Flatten the rows over all conditions.

    Keys are ``SPLIT/TRIAL/METRIC[/SEGMENT]`` for the decoder and
    ``floor/NAME/TRIAL/METRIC[/SEGMENT]`` or ``ceiling/NAME/...`` for what stands beside it.
    """
    frame = table.frame[(table.frame["condition"] == "all") & (table.frame["mask"] == "none")]
    return {
        key(
            str(r["split"]).split(" ")[0] if r["run"] == "decoder" else r["run"],
            r["trial"],
            r["metric"],
            r["segment"],
        ): number(r["value"])
        for r in frame.to_dict("records")
    }


def key(*parts: object) -> str:
    """Key of ``metrics.json``; segment ``all`` is left out."""
    return "/".join(str(p) for p in parts if p != "all")


def number(value: object) -> float | None:
    """A number for JSON with nine decimals; undefined or infinite is ``None``."""
    found = float(value)  # type: ignore[arg-type]
    return round(found, 9) if math.isfinite(found) else None
