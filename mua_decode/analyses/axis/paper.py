"""Values of the paper beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.axis import AxisResults
from mua_decode.analyses.axis.responses import region_masks
from mua_decode.analyses.axis.units import Units

# Quantity: in words, where it stands in the metrics, and where its number of sites does.
_QUANTITIES = {
    "share_tuned": ("axis-tuned, of visually responsive", "axis/", "share", "n_sites"),
    "share_reactivated": (
        "reactivated, of axis-tuned",
        "imagery/",
        "share_reactivated",
        "n_tuned",
    ),
}


def beside_published(
    results: AxisResults, flat: Mapping[str, Any], published: Mapping[str, Any] | None
) -> pd.DataFrame:
    """One row per quantity and region: the published value, ours, its interval, and n of sites
    and of the subjects or sessions that the interval speaks for.

    Empty without published values of axes. A quantity that this recording does not give has a row
    without our value.
    """
    values = (published or {}).get("axis", {})
    sites = results.responses.sites
    units = Units.of_sites(sites)
    rows = []
    for key, (words, prefix, low_key, n_key) in _QUANTITIES.items():
        if key not in values:
            continue
        for region, inside in region_masks(sites).items():
            here = prefix if region == "all" else f"{prefix}{region}/"
            rows.append(
                {
                    "quantity": words,
                    "region": region,
                    "published": float(values[key]),
                    "ours": flat.get(f"{here}{key}"),
                    "low": flat.get(f"{here}{low_key}_low"),
                    "high": flat.get(f"{here}{low_key}_high"),
                    "n_sites": flat.get(f"{here}{n_key}"),
                    "n_units": len(np.unique(units.label[inside])),
                    "unit": units.name,
                }
            )
    return pd.DataFrame(rows)


def how_it_differs(results: AxisResults) -> str:
    """What stands between our numbers and the paper's."""
    return (
        "Published: single neurons of human ventral temporal cortex, 16 patients; axes in 50 "
        "components of a late layer of AlexNet, imagery tested neuron by neuron. Ours (our "
        f"reading): {results.first.x.shape[1]} components of {results.first.name}, chosen and "
        "fitted on training images; a site reactivates if it is tuned on the images that were not "
        "imagined and rises above baseline for some object, corrected over sites."
    )
