"""What is independent among the conditions, for each thing that is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.data.datamodule import DecodingData
from mua_decode.data.independence import GROUPED_UNIT, condition_groups, unit_of
from mua_decode.statistics import Units

_FACTORS = {"cue": "cues", "colour": "colours", "direction_deg": "directions"}
_DEPENDS = {
    "cue_shape": "cue",
    "cue_pixels": "cue",
    "cue_difference": "cue",
    "colour_error": "colour",
    "colour_correlation": "colour",
    "colour_cosine": "colour",
    "direction_error": "direction_deg",
    "angle_deg": "direction_deg",
}


def metric_units(
    data: DecodingData, names: Sequence[str], *, conditions: np.ndarray
) -> dict[str, Units]:
    """Units of the conditions scored, by the name of a metric or measure.

    A measure of the cue has as many independent values as there are cues, one of the colour as
    there are colours, one of the direction as there are directions, whatever else is crossed with
    them; one of the whole video depends on all of them, crossed. Where the conditions have no
    such labels, groups of conditions that share recorded trials are the units, else conditions.

    Parameters
    ----------
    conditions
        int (Q,): those that are scored.
    """
    table = data.stimuli.conditions.iloc[conditions]
    varied = {c: n for c, n in _FACTORS.items() if c in table and table[c].nunique() > 1}
    groups = condition_groups(data)[conditions]
    plain = Units.crossed([(unit_of(groups), groups)])

    def units(columns: Sequence[str]) -> Units:
        factors = [(varied[c], table[c].to_numpy()) for c in columns if c in varied]
        return Units.crossed(factors) if factors else plain

    return {n: units([_DEPENDS[n]] if n in _DEPENDS else list(_FACTORS)) for n in names}


@dataclass(frozen=True, eq=False)
class NamedUnits:
    """Units by the name of a condition; ``name`` is what one is, ``level`` which it is."""

    name: str
    level: Mapping[str, str]

    def of(self, conditions: Sequence[str]) -> Units:
        """Units of some conditions, in their order."""
        return Units.of_columns(self.name, [self.level[c] for c in conditions])


def shared_units(data: DecodingData, names: Sequence[str]) -> dict[str, NamedUnits]:
    """What conditions share that a metric depends on, by the name of the metric.

    Metrics whose conditions share nothing, or recorded trials alone, are left out.
    """
    conditions = data.stimuli.names
    found = metric_units(data, names, conditions=np.arange(len(conditions)))
    return {
        name: NamedUnits(units.name, dict(zip(conditions, units.labels, strict=True)))
        for name, units in found.items()
        if units.shared and units.name != GROUPED_UNIT
    }
