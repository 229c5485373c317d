import numpy as np
import pytest

from mua_decode.metrics import Colour, CueShape, Motion
from mua_decode.scoring.measures import measure_videos
from mua_decode.simulation import (
    CueParameters,
    Palette,
    StimulusParameters,
    render_stimuli,
)
from mua_decode.types import StimulusSet
from tests.conftest import make_stimuli

METRICS = [CueShape(), Colour(points="quartiles"), Motion()]


@pytest.fixture(scope="module")
def stimuli() -> StimulusSet:
    parameters = StimulusParameters(
        cues=CueParameters(outlines=("cross", "circle")),
        palette=Palette(names=("green",), hues_deg=(150.0,)),
        directions_deg=(90.0, -30.0),
        variants=12,
    )
    return render_stimuli(parameters, seed=np.random.SeedSequence(0))


def test_true_videos_give_the_true_values(stimuli: StimulusSet) -> None:
    mean = (255 * stimuli.mean_videos()).round().astype(np.uint8).swapaxes(1, 2)
    found = measure_videos(
        mean, mean, conditions=range(stimuli.n_conditions), stimuli=stimuli, metrics=METRICS
    )
    assert found["condition"].tolist() == stimuli.names
    assert found["cue_shape"].to_numpy() == pytest.approx(1)
    assert found["colour_correlation"].to_numpy() == pytest.approx(1)
    assert found["colour_cosine"].to_numpy() == pytest.approx(1)
    assert (found["colour_error"] == 0).all()
    assert (found["motion_status"] == "ok").all()
    error = (found["angle_deg"] - found["direction_deg"]).abs()
    assert error.max() < 8  # 12 videos; 60 come within 4


def test_the_wrong_videos_do_not(stimuli: StimulusSet) -> None:
    mean = (255 * stimuli.mean_videos()).round().astype(np.uint8).swapaxes(1, 2)
    found = measure_videos(
        mean[::-1], mean, conditions=range(stimuli.n_conditions), stimuli=stimuli, metrics=METRICS
    )
    assert (found["cue_shape"] < 0.9).all()
    assert ((found["angle_deg"] - found["direction_deg"]).abs() > 90).all()


def test_what_does_not_apply_is_absent() -> None:
    grey = make_stimuli(3)
    videos = grey.videos.swapaxes(1, 2)
    found = measure_videos(videos, videos, conditions=[0, 1, 2], stimuli=grey, metrics=METRICS)
    assert list(found) == ["condition"]
