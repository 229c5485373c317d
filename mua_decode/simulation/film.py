"""A small continuous film and sites with receptive fields that watch it, repeat after repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from mua_decode.limits import check_memory
from mua_decode.simulation.checks import require_range, require_whole, whole_steps
from mua_decode.types import Recording, Segment, Session, SiteTable, StimulusSet


@dataclass(frozen=True, kw_only=True)
class FilmParameters:
    """A film of smooth moving noise, and Poisson sites driven by what it showed ``lag_s`` before.

    A site's rate is ``baseline_hz * exp(drive * z)``, with z the film through its receptive field,
    a Gaussian of either sign, at zero mean and unit variance over the film. ``drive`` 0 is a
    population that knows nothing.
    """

    duration_s: float  # of the film
    frame_s: float
    bin_s: float
    size: int  # pixels, height and width
    smooth_px: float  # s.d. of the film's spatial blur
    smooth_s: float  # and in time
    sites: int  # per session
    sessions: int
    repeats: int  # presentations of the film in each session
    baseline_hz: float
    drive: float
    lag_s: float  # by which spikes follow frames

    def __post_init__(self) -> None:
        given = vars(self)
        require_range(
            "film", given, "duration_s", "frame_s", "bin_s", "baseline_hz", low=0, above=True
        )
        require_range("film", given, "smooth_px", "smooth_s", "drive", "lag_s", low=0)
        require_whole("film", given, "sites", "sessions", "repeats", low=1)
        require_whole("film", given, "size", low=2)


def simulate_film(film: FilmParameters, *, seed: int) -> Recording:
    """Render the film and record it.

    The recording has one condition, shown ``repeats`` times in every session; ``truth`` holds
    every site's receptive field (``row``, ``column`` in pixels, ``sign``) and the ``lag_s``.

    Raises InputError if bins or frames do not fill the film.
    """
    frames = whole_steps("film", duration_s=film.duration_s, step_s=film.frame_s, name="duration_s")
    n_bins = whole_steps("film", duration_s=film.duration_s, step_s=film.bin_s, name="duration_s")
    n_sites = film.sessions * film.sites
    drawn = 32 * frames * film.size**2 + 16 * n_sites * (frames + n_bins)
    check_memory(drawn + 9 * film.repeats * n_bins * n_sites, "simulation: film and spikes")
    frames_rng, sites_rng, *spike_rngs = map(
        np.random.default_rng, np.random.SeedSequence(seed).spawn(2 + film.sessions)
    )
    video = _render(film, frames_rng)
    place = sites_rng.uniform(0, film.size - 1, (film.sessions * film.sites, 2))
    sign = sites_rng.choice([-1.0, 1.0], len(place))
    drive = _drive(film, video, place) * sign
    # What was on screen lag_s before the centre of every bin.
    at = (np.arange(n_bins) + 0.5) * film.bin_s - film.lag_s
    seen = drive[np.clip((at / film.frame_s + 1e-6).astype(int), 0, len(video) - 1)]
    mean = film.baseline_hz * film.bin_s * np.exp(film.drive * seen)
    sessions, tables = [], []
    for number, rng in enumerate(spike_rngs):
        own = slice(number * film.sites, (number + 1) * film.sites)
        name = f"film-{number + 1}"
        ids = np.array([f"{name}-{i:03d}" for i in range(film.sites)])
        filled = {k: np.full(film.sites, v) for k, v in (("region", "V1"), ("subject", "sim"))}
        counts = rng.poisson(mean[:, own], (film.repeats, n_bins, film.sites)).clip(0, 255)
        sessions.append(
            Session(
                name=name,
                sites=SiteTable(site_id=ids, session=np.full(film.sites, name), **filled),
                trials=pd.DataFrame({"condition": 0, "repeat": np.arange(film.repeats)}),
                counts=counts.astype(np.uint8),
                bin_s=film.bin_s,
            )
        )
        row, column = place[own].T
        tables.append(
            pd.DataFrame({"site_id": ids, "row": row, "column": column, "sign": sign[own]})
        )
    stimuli = StimulusSet(
        videos=video[None, :, None],
        condition=np.zeros(1, int),
        conditions=pd.DataFrame({"name": ["film"]}),
        segments=(Segment("film", 0, len(video)),),
        frame_s=film.frame_s,
    )
    fields = pd.concat(tables, ignore_index=True).assign(lag_s=film.lag_s)
    return Recording(
        name="simulated_film",
        sessions=tuple(sessions),
        stimuli=stimuli,
        provenance={"reader": "simulate_film", "seed": seed},
        truth={"fields": fields},
    )


def _render(film: FilmParameters, rng: np.random.Generator) -> np.ndarray:
    """Smoothed noise around mid-grey, uint8 (F, H, W)."""
    shape = (round(film.duration_s / film.frame_s), film.size, film.size)
    blur = (film.smooth_s / film.frame_s, film.smooth_px, film.smooth_px)
    modes = ("reflect", "wrap", "wrap")  # the end of the film is not its beginning
    noise = gaussian_filter(rng.standard_normal(shape), blur, mode=modes)
    level = 0.5 + 0.18 * (noise - noise.mean()) / noise.std()
    return np.asarray((level * 255).round().clip(0, 255), np.uint8)


def _drive(film: FilmParameters, video: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Film through receptive fields at ``place`` (M, 2), float (F, M), standardised over time."""
    pixel = np.stack(np.meshgrid(*2 * [np.arange(film.size)], indexing="ij"), -1).reshape(-1, 2)
    distance = np.square(pixel[:, None] - place).sum(-1)
    field = np.exp(-distance / (2 * max(1.0, film.smooth_px) ** 2))
    seen = video.reshape(len(video), -1).astype(float) @ field
    return np.asarray((seen - seen.mean(0)) / seen.std(0).clip(1e-9))
