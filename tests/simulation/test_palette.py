import numpy as np
import pytest
from skimage.color import rgb2xyz

from mua_decode.simulation import Palette
from mua_decode.types import InputError


def test_colours_have_equal_luminance_and_run_from_green_to_red() -> None:
    rgb = Palette().rgb
    light = rgb2xyz(rgb)[..., 1]  # relative luminance
    assert np.ptp(light) / light.mean() < 0.015  # what rounding to 8 bits leaves
    assert (np.diff(rgb[:, 0].astype(int)) > 0).all()
    assert (np.diff(rgb[:, 1].astype(int)) < 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chroma": 120.0}, "colour 'green' cannot be shown"),
        ({"names": ["a", "a", "b", "c"]}, "names repeat"),
        ({"names": ["a"]}, "as many"),
        ({"lightness": 120.0}, "lightness must be >= 0 and <= 100, found 120"),
    ],
)
def test_errors(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Palette(**options)
