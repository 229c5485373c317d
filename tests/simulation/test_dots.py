import numpy as np
import pytest

from mua_decode.simulation import DotParameters
from mua_decode.simulation.dots import dot_paths, rasterise
from mua_decode.types import InputError


def paths(direction: float, **options: float) -> tuple[np.ndarray, np.ndarray]:
    return dot_paths(
        DotParameters(**options),
        direction_deg=direction,
        frames=30,
        frame_s=0.1,
        variants=3,
        rng=np.random.default_rng(0),
    )


@pytest.mark.parametrize("direction", [90, 30, -30, -90, 180])
def test_dots_move_at_the_speed_and_stay_in_the_aperture(direction: float) -> None:
    x, y = paths(direction, speed_px_s=8.0, aperture_radius_px=7.0)
    assert x.shape == (3, 30, 400)
    assert np.hypot(x, y).max() <= 7.0 + 1e-4
    dx, dy = np.median(np.diff(x, axis=1)), np.median(np.diff(y, axis=1))
    assert np.hypot(dx, dy) == pytest.approx(0.8, abs=1e-3)
    assert np.degrees(np.arctan2(dy, dx)) % 360 == pytest.approx(direction % 360, abs=0.1)


def test_speeds_of_videos_differ_only_when_they_are_asked_to() -> None:
    def speeds(spread: float) -> np.ndarray:
        x, y = dot_paths(
            DotParameters(speed_px_s=5.0, speed_spread=spread, n_dots=50),
            direction_deg=30, frames=10, frame_s=0.1, variants=200, rng=np.random.default_rng(0),
        )  # fmt: skip
        moved = np.hypot(np.diff(x, axis=1), np.diff(y, axis=1))
        return np.asarray(np.median(moved, axis=(1, 2)) / 0.1)

    np.testing.assert_allclose(speeds(0.0), 5, rtol=1e-3)
    varied = speeds(0.4)
    assert 3 - 1e-3 < varied.min() < 3.2
    assert 6.8 < varied.max() < 7 + 1e-3
    start = [paths(30, speed_spread=s)[0][:, 0] for s in (0.0, 0.4)]
    np.testing.assert_array_equal(*start)
    with pytest.raises(InputError, match="speed_spread must be >= 0 and <= 1"):
        DotParameters(speed_spread=1.5)


def test_dots_start_even_and_gather_at_the_leading_edge() -> None:
    _, y = paths(90)
    assert abs(y[:, 0].mean()) < 0.5
    assert y[:, -1].mean() > 2


def test_still_dots_stay() -> None:
    x, _ = paths(90, speed_px_s=0.0)
    assert np.ptp(x, axis=1).max() == 0


def test_raster_matches_a_dot_by_hand() -> None:
    """One dot in the upper right quadrant: its mass is a disc's and sits where it should."""
    x, y = np.array([[3.1], [-20.0]]), np.array([[5.4], [0.0]])
    cover = rasterise(x, y, size=16, diameter=2.0, supersampling=8) / 255
    assert cover.shape == (2, 16, 16)
    assert cover[1].sum() == 0  # outside the frame
    row, col = np.indices((16, 16)) + 0.5
    assert cover[0].sum() == pytest.approx(np.pi, rel=0.08)
    assert np.average(col, weights=cover[0]) == pytest.approx(8 + 3.1, abs=0.07)
    assert np.average(row, weights=cover[0]) == pytest.approx(8 - 5.4, abs=0.07)


def test_a_dot_on_the_border_stays_in_its_own_frame() -> None:
    x, y = np.zeros((3, 1)), np.array([[-7.9], [30.0], [7.9]])
    cover = rasterise(x, y, size=16, diameter=3.0, supersampling=4)
    assert cover[0, -1].any()
    assert cover[2, 0].any()
    assert not cover[1].any()


def test_overlapping_dots_do_not_add_up() -> None:
    one = rasterise(np.zeros((1, 1)), np.zeros((1, 1)), size=8, diameter=2.0, supersampling=4)
    two = rasterise(np.zeros((1, 2)), np.zeros((1, 2)), size=8, diameter=2.0, supersampling=4)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["n_dots", "aperture_radius_px", "diameter_px", "speed_px_s"])
def test_errors(name: str) -> None:
    with pytest.raises(InputError, match=f"dots: {name} must be .* found -1"):
        DotParameters(**{name: -1})
