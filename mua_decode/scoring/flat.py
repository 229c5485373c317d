"""A result table as flat keys for ``metrics.json``."""

from __future__ import annotations

import math

from mua_decode.types import ResultTable


def flat_metrics(table: ResultTable) -> dict[str, float | None]:
    """Flatten the rows over all conditions.

    Keys are ``SPLIT/TRIAL/METRIC[/SEGMENT]`` for the decoder and
    ``floor/NAME/TRIAL/METRIC[/SEGMENT]`` or ``ceiling/NAME/...`` for what stands beside it.
    Undefined values are ``None``.
    """
    flat: dict[str, float | None] = {}
    frame = table.frame[(table.frame["condition"] == "all") & (table.frame["mask"] == "none")]
    for row in frame.to_dict("records"):
        run, part = str(row["run"]), str(row["split"]).split(" ")[0]
        parts = [part if run == "decoder" else run, str(row["trial"]), str(row["metric"])]
        if row["segment"] != "all":
            parts.append(str(row["segment"]))
        value = float(row["value"])
        flat["/".join(parts)] = None if math.isnan(value) else round(value, 9)
    return flat
