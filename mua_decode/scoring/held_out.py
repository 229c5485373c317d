"""Identification among the conditions of one part, where every part has conditions of its own."""

from __future__ import annotations

from collections.abc import Sequence

from mua_decode.data import DecodingData
from mua_decode.data.split_plan import APART
from mua_decode.metrics import AttributeIdentification, VideoMetric

AMONG_HELD_OUT = "among_held_out"


def among_held_out(
    data: DecodingData, part: str, metrics: Sequence[VideoMetric]
) -> list[AttributeIdentification]:
    """Metric ``among_held_out_identified``, to stand beside the metric ``identification``.

    A decoder that knows trained videos alone names one of them, whatever is shown; among all
    candidates that and poor decoding look alike, among those held out they do not. Guessing scores
    1 / (conditions of the part).

    None where the split does not hold conditions apart, the part has a single one, or
    ``metrics`` do not identify or have it already.
    """
    own = data.conditions(part)
    names = [m.name for m in metrics]
    if data.split.unit not in APART or part == "train" or len(own) < 2:
        return []
    if "identification" not in names or f"{AMONG_HELD_OUT}_identified" in names:
        return []
    labels = [str(k) for k in range(data.stimuli.n_conditions)]
    return [
        AttributeIdentification(
            similarity="correlation", attribute=AMONG_HELD_OUT, labels=labels, among=own.tolist()
        )
    ]
