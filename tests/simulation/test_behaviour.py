import numpy as np
import pandas as pd
import pytest

from mua_decode.simulation import BehaviourParameters
from mua_decode.simulation.behaviour import draw_responses
from mua_decode.types import InputError

TRIALS = pd.DataFrame(
    {
        "cue": ["cross", "cross", "circle", "circle"],
        "hue_deg": [40.0, 150.0, 40.0, 150.0],
        "direction_deg": [90.0, -30.0, 90.0, -30.0],
    }
)


def test_the_cue_decides_which_feature_counts() -> None:
    rng = np.random.default_rng(0)
    answers = draw_responses(TRIALS, behaviour=BehaviourParameters(lapse=0.0), rng=rng)
    assert answers["response"].tolist() == ["left", "right", "right", "left"]
    assert answers["correct"].all()


def test_half_of_the_lapses_are_wrong() -> None:
    many = pd.concat([TRIALS] * 1000, ignore_index=True)
    rng = np.random.default_rng(0)
    answers = draw_responses(many, behaviour=BehaviourParameters(lapse=0.4), rng=rng)
    assert answers["correct"].mean() == pytest.approx(0.8, abs=0.02)


def test_errors() -> None:
    with pytest.raises(InputError, match="did you mean 'colour'"):
        BehaviourParameters(rules={"cross": "color"})
    with pytest.raises(InputError, match="no rule for cue 'circle'"):
        draw_responses(
            TRIALS,
            behaviour=BehaviourParameters(rules={"cross": "colour"}),
            rng=np.random.default_rng(0),
        )
