"""The saccade at the end of a trial: the cue says which feature decides, and lapses happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mua_decode.simulation.checks import require_range
from mua_decode.types import InputError, nearest_name

_RULES = ("direction", "colour")
_TWO_RULES = {
    "cross": "direction",
    "quatrefoil": "direction",
    "circle": "colour",
    "triangle": "colour",
}


@dataclass(frozen=True, kw_only=True)
class BehaviourParameters:
    """The task's rule and how often it is missed."""

    # Which feature every cue asks for: ``direction`` (upwards: left, else right) or ``colour``
    # (greenish: left, reddish: right).
    rules: Mapping[str, str] = field(default_factory=lambda: dict(_TWO_RULES))
    # Hues (CIE L*a*b*) from this angle on count as greenish; 95 is about yellow.
    hue_boundary_deg: float = 95.0
    lapse: float = 0.1  # share of trials answered at random, 0..1

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", dict(self.rules))
        for cue, rule in self.rules.items():
            if rule not in _RULES:
                raise InputError(
                    f"behaviour: rule '{rule}' of cue '{cue}' is unknown"
                    f"{nearest_name(rule, _RULES)}; use {' or '.join(_RULES)}"
                )
        require_range("behaviour", vars(self), "hue_boundary_deg", low=-360, high=360)
        require_range("behaviour", vars(self), "lapse", low=0, high=1)


def draw_responses(
    trials: pd.DataFrame, *, behaviour: BehaviourParameters, rng: np.random.Generator
) -> pd.DataFrame:
    """Answer every trial, told by columns ``cue``, ``hue_deg`` and ``direction_deg``.

    The answers have columns ``response`` (``left`` or ``right``) and ``correct`` (bool).
    """
    unruled = [cue for cue in dict.fromkeys(trials["cue"]) if cue not in behaviour.rules]
    if unruled:
        raise InputError(f"behaviour: no rule for cue '{unruled[0]}'; add it to rules")
    by_direction = (trials["cue"].map(behaviour.rules) == "direction").to_numpy()
    upwards = np.sin(np.deg2rad(trials["direction_deg"].to_numpy())) > 1e-9
    greenish = trials["hue_deg"].to_numpy() >= behaviour.hue_boundary_deg
    right_answer = np.where(by_direction, upwards, greenish)
    guess = rng.random(len(trials)) < 0.5
    lapsed = rng.random(len(trials)) < behaviour.lapse
    left = np.where(lapsed, guess, right_answer)
    return pd.DataFrame(
        {"response": np.where(left, "left", "right"), "correct": left == right_answer}
    )
