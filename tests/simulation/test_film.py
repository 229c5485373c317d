from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mua_decode.simulation import FilmParameters, simulate_film
from mua_decode.types import InputError

FILM = FilmParameters(
    duration_s=10.0,
    frame_s=0.05,
    bin_s=0.05,
    size=6,
    smooth_px=1.5,
    smooth_s=0.1,
    sites=4,
    sessions=2,
    repeats=60,
    baseline_hz=30.0,
    drive=0.6,
    lag_s=0.15,
)


def best_lag(film: FilmParameters, site: int) -> int:
    """Lag in bins at which a site's mean response follows its pixel best."""
    recording = simulate_film(film, seed=1)
    where = recording.truth["fields"].iloc[site]
    pixel = recording.stimuli.videos[0, :, 0, round(where["row"]), round(where["column"])]
    mean = recording.sessions[0].counts[:, :, site].mean(0) * where["sign"]
    r = [np.corrcoef(pixel[: 200 - k], mean[k:])[0, 1] for k in range(7)]
    return int(np.argmax(r))


def test_sites_follow_their_fields_by_the_lag() -> None:
    assert [best_lag(FILM, site) for site in range(4)] == [3] * 4
    assert best_lag(replace(FILM, lag_s=0.0), 0) == 0


def test_the_same_seed_gives_the_same_film_and_no_drive_a_constant_rate() -> None:
    assert simulate_film(FILM, seed=1).checksum == simulate_film(FILM, seed=1).checksum
    flat = simulate_film(replace(FILM, drive=0.0), seed=1).sessions[0].counts
    assert flat.mean() == pytest.approx(30.0 * 0.05, rel=0.02)
    assert flat.mean(0).std() == pytest.approx(np.sqrt(1.5 / 60), rel=0.1)


def test_what_cannot_be_filmed_is_said() -> None:
    with pytest.raises(InputError, match="not a whole number"):
        simulate_film(replace(FILM, frame_s=0.07), seed=0)
    with pytest.raises(InputError, match="drive must be >= 0"):
        replace(FILM, drive=-1.0)


def test_a_film_that_memory_does_not_hold_is_refused() -> None:
    for options in ({"sites": 10**9}, {"repeats": 10**9}, {"size": 10**6}):
        with pytest.raises(InputError, match="simulation: film and spikes would take"):
            simulate_film(replace(FILM, **options), seed=0)
