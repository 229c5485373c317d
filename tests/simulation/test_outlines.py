import numpy as np
import pytest

from mua_decode.simulation import CueParameters
from mua_decode.simulation.outlines import OUTLINES, Canvas
from mua_decode.types import InputError


@pytest.mark.parametrize("name", OUTLINES)
@pytest.mark.parametrize("resolution", [1.0, 2.0])
def test_outline_is_hollow_and_spans_what_is_asked(name: str, resolution: float) -> None:
    size = int(32 * resolution)
    canvas = Canvas(size=size, resolution=resolution, supersampling=8)
    line = canvas.outline(name, span_px=20, line_px=1.5)
    columns = np.flatnonzero(line.max(axis=0) > 0.4) / resolution
    assert np.ptp(columns) == pytest.approx(19, abs=1.6)
    middle = slice(round(14 * resolution), round(18 * resolution))
    assert (line[middle, middle] == 0).all()
    np.testing.assert_array_equal(line, line[:, ::-1])


def test_outlines_differ_and_triangle_points_up() -> None:
    canvas = Canvas(size=32, resolution=1.0, supersampling=4)
    lines = [canvas.outline(n, span_px=20, line_px=1.5).ravel() for n in OUTLINES]
    assert np.max(np.corrcoef(lines) - np.eye(len(lines))) < 0.7
    triangle = lines[list(OUTLINES).index("triangle")].reshape(32, 32)
    width = [(np.ptp(np.flatnonzero(row > 0.2)) if (row > 0.2).any() else -1) for row in triangle]
    shown = [w for w in width if w >= 0]
    assert shown[0] < 4 < 15 < shown[-1]


def test_disc_is_where_y_up_says() -> None:
    disc = Canvas(size=32, resolution=1.0, supersampling=8).disc(x_px=5, y_px=8, radius_px=2)
    row, col = np.indices(disc.shape)
    assert np.average(row + 0.5, weights=disc) == pytest.approx(16 - 8)
    assert np.average(col + 0.5, weights=disc) == pytest.approx(16 + 5)
    assert disc.sum() == pytest.approx(np.pi * 4, rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outlines": ["tringle"]}, "did you mean 'triangle'"),
        ({"outlines": ["cross", "cross"]}, "every outline once"),
        ({"outlines": []}, "every outline once"),
        ({"grey": 300}, "grey must be >= 0 and <= 255, found 300"),
        ({"span_px": 0.0}, "span_px must be > 0, found 0"),
    ],
)
def test_errors(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CueParameters(**options)
