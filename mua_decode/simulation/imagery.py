"""A simulated imagery experiment: sites whose axis, and whether they reactivate, are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import pandas as pd

from mua_decode import __version__
from mua_decode.limits import check_memory
from mua_decode.simulation.checks import require_range, require_whole
from mua_decode.simulation.imagery_sites import Responses, SiteKinds, plant, responses
from mua_decode.types import InputError, Recording, Segment, Session, SiteTable, StimulusSet

_PICTURE = 1 << 17  # bytes of an image while it is rendered, about

FLOOR_HZ = 0.5
IMAGERY_READER = "mua_decode.simulation.simulate_imagery"


@dataclass(frozen=True, kw_only=True)
class ImageryParameters:
    """What is shown, imagined and planted."""

    # Number of sites by region.
    regions: Mapping[str, int] = field(default_factory=lambda: {"VTC": 120, "MTL": 60})
    # Share of a region's sites that are axis-tuned; the others respond to images as strongly, to
    # each by an amount of its own that lies along no axis.
    share_tuned: float = 0.8
    # Share of the tuned sites that reactivate in imagery; all others are silent (baseline).
    share_reactivating: float = 0.4
    imagery_scale: float = 0.5  # imagined response over perceived response of a reactivating site
    # Images shown; how many of them are also imagined.
    images: int = 240
    objects: int = 12
    # Trials per image shown and per object imagined, in every session.
    perception_trials: int = 4
    imagery_trials: int = 12
    sessions: int = 3  # sites are dealt out to so many sessions
    latents: int = 12  # dimensions of the space the images (and the axes) live in
    image_size: int = 32  # height and width in pixels
    # Baseline rate; response to any image; and its standard deviation over images.
    baseline_hz: float = 5.0
    onset_hz: float = 6.0
    modulation_hz: float = 4.0
    bin_s: float = 0.5  # length of baseline and of response, in seconds; one bin each
    # Mean imagined change of a reactivating site, in hertz, of either sign; ``None``: that of the
    # perceived images, times ``imagery_scale``.
    imagery_shift_hz: float | None = None
    # Controls: what other sites do, and what of a response no axis explains.
    kinds: SiteKinds = field(default_factory=SiteKinds)
    # Images fall into so many categories (0: none), which carry this share of the variance of
    # every latent.
    categories: int = 0
    category_variance: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", {str(k): v for k, v in self.regions.items()})
        if not self.regions:
            raise InputError("imagery: no region")
        where, given = "imagery", vars(self)
        require_whole(where, self.regions, low=self.sessions)
        require_whole(where, given, "sessions", "latents", low=1)
        require_whole(where, given, "objects", "image_size", low=2)
        require_whole(where, given, "images", low=self.objects)
        require_whole(where, given, "perception_trials", "imagery_trials", low=1)
        shares = ("share_tuned", "share_reactivating", "category_variance")
        require_range(where, given, *shares, low=0, high=1)
        require_whole(where, given, "categories", low=0)
        if self.share_reactivating + self.kinds.share_suppressed > 1 + 1e-9:
            raise InputError("imagery: share_reactivating and share_suppressed exceed 1 together")
        levels = ("imagery_scale", "baseline_hz", "onset_hz", "modulation_hz")
        require_range(where, given, *levels, low=0)
        require_range(where, given, "bin_s", low=0, above=True)


@dataclass(frozen=True, eq=False)
class Planted:
    """All that one seed plants, before a spike is drawn."""

    stimuli: StimulusSet
    latent: np.ndarray  # (K, L): position of every image
    patterns: np.ndarray  # (H * W * 3, L): what a unit of each latent adds to an image in [0, 1]
    objects: np.ndarray  # int (O,): conditions that are imagined
    sites: pd.DataFrame
    responses: Responses
    spikes: np.random.Generator


def plant_experiment(p: ImageryParameters, seed: int) -> Planted:
    """Draw images and sites; the same again for the same parameters and seed."""
    image_rng, site_rng, spike_rng, control_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)
    )
    category = np.arange(p.images) % p.categories if p.categories else None
    stimuli, latent, patterns = _render(p, image_rng, category)
    objects = np.sort(image_rng.choice(p.images, p.objects, replace=False))
    truth = plant(
        p.regions,
        p.kinds,
        shares=(p.share_tuned, p.share_reactivating),
        sessions=p.sessions,
        latents=p.latents,
        rng=(site_rng, control_rng),
    )
    level = p.imagery_scale * p.onset_hz if p.imagery_shift_hz is None else p.imagery_shift_hz
    planted = responses(
        truth,
        latent,
        category,
        p.kinds,
        contrast=contrast_of(stimuli.videos[:, 1], stimuli.videos[:, 1]),
        perceived=(p.onset_hz, p.modulation_hz),
        imagined=(level, p.imagery_scale * p.modulation_hz),
        rng=(site_rng, control_rng),
    )
    return Planted(stimuli, latent, patterns, objects, truth, planted, spike_rng)


def contrast_of(images: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Contrast (s.d. over pixels) of images (M, ...), in s.d. about the mean of others (K, ...)."""
    own, others = (v.reshape(len(v), -1).std(axis=1) for v in (images, among))
    return np.asarray((own - others.mean()) / max(float(others.std()), 1e-9))


def simulate_imagery(*, imagery: ImageryParameters, seed: int, name: str = "imagery") -> Recording:
    """Run the experiment: images are perceived, some of them are then imagined.

    Trials carry ``state`` (``perception`` or ``imagery``) and ``object`` (the image's name); a
    trial is one bin of baseline and one of response, spike counts are Poisson. ``truth["sites"]``
    has ``tuned``, ``reactivates``, the controls and the axis of every site, ``truth["images"]`` the
    position of every image. Images in categories have a column ``category`` of their conditions.
    """
    require_whole("imagery", {"seed": seed}, low=0)
    p = imagery
    trials = p.images * p.perception_trials + p.objects * p.imagery_trials
    drawn = 16 * sum(p.regions.values()) * (p.images + p.objects + trials)
    check_memory(drawn + _PICTURE * p.images, "simulation: imagery")
    made = plant_experiment(p, seed)
    truth, stimuli, planted = made.sites, made.stimuli, made.responses
    sessions = []
    for s in range(p.sessions):
        here = np.flatnonzero(truth["session"].to_numpy() == f"s{s}")
        part = Responses(planted.perceived[:, here], planted.imagined[:, here])
        sessions.append(
            _session(p, truth.iloc[here], part, made.objects, made.spikes, stimuli.names)
        )
    return Recording(
        name=name,
        sessions=tuple(sessions),
        stimuli=stimuli,
        provenance={
            "reader": IMAGERY_READER,
            "package_version": __version__,
            "seed": int(seed),
            "imagery": dataclasses.asdict(p),
            "licence": "simulated data, free of rights",
        },
        truth={
            "sites": truth,
            "images": pd.DataFrame(made.latent)
            .add_prefix("latent_")
            .assign(name=stimuli.names, imagined=np.isin(np.arange(p.images), made.objects)),
        },
    )


def _render(
    p: ImageryParameters, rng: np.random.Generator, category: np.ndarray | None
) -> tuple[StimulusSet, np.ndarray, np.ndarray]:
    """Images as sums of smooth random patterns, their latents (K, L), and the patterns."""
    latent = rng.standard_normal((p.images, p.latents))
    if category is not None:
        centre = rng.standard_normal((p.categories, p.latents))[category]
        between = p.category_variance
        latent = np.sqrt(between) * centre + np.sqrt(1 - between) * latent
    latent = (latent - latent.mean(axis=0)) / latent.std(axis=0)
    shape = (p.image_size, p.image_size, 3)
    if p.latents > np.prod(shape) // 4:
        raise InputError(f"imagery: {p.latents} latents do not fit images of {shape}")
    patterns = [
        cv2.GaussianBlur(rng.standard_normal(shape), (0, 0), p.image_size / 10).ravel()
        for _ in range(p.latents)
    ]
    basis = np.linalg.qr(np.stack(patterns, axis=1))[0] * np.sqrt(np.prod(shape))
    patterns = 0.14 / np.sqrt(p.latents) * basis
    pixels = 0.5 + latent @ patterns.T
    images = np.round(pixels.clip(0, 1) * 255).astype(np.uint8).reshape(-1, *shape)
    videos = np.full((p.images, 2, 3, p.image_size, p.image_size), 128, np.uint8)
    videos[:, 1] = images.transpose(0, 3, 1, 2)
    conditions = pd.DataFrame({"name": [f"image{k:03d}" for k in range(p.images)]})
    if category is not None:
        conditions["category"] = [f"category{c}" for c in category]
    stimuli = StimulusSet(
        videos=videos,
        condition=np.arange(p.images),
        conditions=conditions,
        segments=(Segment("baseline", 0, 1), Segment("image", 1, 2)),
        frame_s=p.bin_s,
    )
    return stimuli, latent, patterns


def _session(
    p: ImageryParameters,
    planted: pd.DataFrame,
    responses: Responses,
    objects: np.ndarray,
    rng: np.random.Generator,
    names: list[str],
) -> Session:
    """Poisson counts of one session."""
    shown = np.repeat(np.arange(p.images), p.perception_trials)
    thought = np.repeat(objects, p.imagery_trials)
    condition = np.concatenate([shown, thought])
    state = np.repeat(["perception", "imagery"], [len(shown), len(thought)])
    above = np.concatenate([responses.perceived[shown], responses.imagined[thought]])
    order = rng.permutation(len(condition))
    rate = np.stack([np.full_like(above, p.baseline_hz), p.baseline_hz + above], axis=1)[order]
    counts = rng.poisson(np.maximum(rate, FLOOR_HZ) * p.bin_s).astype(np.uint16)
    trials = pd.DataFrame({"condition": condition, "state": state}).iloc[order]
    trials = trials.reset_index(drop=True)
    trials["object"] = [names[c] for c in trials["condition"]]
    session = str(planted["session"].iloc[0])
    sites = SiteTable(
        site_id=planted["site_id"].to_numpy(),
        region=planted["region"].to_numpy(),
        session=np.full(len(planted), session),
        subject=np.full(len(planted), f"subject{session[1:]}"),
    )
    return Session(name=session, sites=sites, trials=trials, counts=counts, bin_s=p.bin_s)
