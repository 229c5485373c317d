import numpy as np
import pytest

from mua_decode.simulation import Palette
from mua_decode.simulation.palette import luminance
from mua_decode.types import InputError


def test_colours_have_equal_luminance_and_run_from_green_to_red() -> None:
    rgb = Palette().rgb
    light = luminance(rgb)
    assert np.ptp(light) / light.mean() < 0.015  # what rounding to 8 bits leaves
    assert (np.diff(rgb[:, 0].astype(int)) > 0).all()
    assert (np.diff(rgb[:, 1].astype(int)) < 0).all()


def test_luminance_of_white_and_black() -> None:
    white_and_black = np.array([[255, 255, 255], [0, 0, 0]], np.uint8)
    np.testing.assert_allclose(luminance(white_and_black), [1, 0], atol=1e-6)


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
