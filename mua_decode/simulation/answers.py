"""What simulated sites answer to images that were not part of their experiment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mua_decode.simulation.imagery import (
    FLOOR_HZ,
    IMAGERY_READER,
    ImageryParameters,
    Planted,
    contrast_of,
    plant_experiment,
)
from mua_decode.simulation.imagery_sites import SiteKinds
from mua_decode.types import InputError, Recording
from mua_decode.types.streams import Stream


def can_answer(recording: Recording) -> bool:
    """Whether the sites of a recording are simulated ones that see images."""
    about = recording.provenance
    return about.get("reader") == IMAGERY_READER and "imagery" in about and "seed" in about


def answer_images(
    recording: Recording, images: np.ndarray, *, presentations: int, seed: int
) -> np.ndarray:
    """Show images to the sites that ``recording`` came from.

    Sites and their tuning are planted again from the parameters and the seed that the recording
    carries. An image of the experiment drives a site as it did there; a new one by where it lies
    among the patterns that images are made of, and the part of a response that belongs to the
    single image is drawn from the image itself, so that the same image always gives the same mean.
    Spike counts are Poisson, as in the experiment.

    Parameters
    ----------
    images
        uint8 (M, 3, H, W).
    presentations
        Trials of every image.
    seed
        Of the spikes.

    Returns
    -------
    float64 (M, presentations, N), spikes per second, sites as in ``recording.sites``.

    Raises InputError if the recording is not of this simulator, or images are of another size.
    """
    if not can_answer(recording):
        raise InputError(
            f"recording '{recording.name}' is not simulated (recording=imagery): its sites cannot "
            "be shown new images here"
        )
    p = _parameters(recording.provenance["imagery"])
    expected = (3, p.image_size, p.image_size)
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise InputError(
            f"simulated sites: images must be uint8 (M, *{expected}), found {images.dtype} "
            f"{images.shape}"
        )
    made = plant_experiment(p, int(recording.provenance["seed"]))
    row = {site: i for i, site in enumerate(made.sites["site_id"])}
    order = [row[site] for site in recording.sites.site_id]
    above = _responses(p, made, images)[:, order]
    rate = np.maximum(p.baseline_hz + above, FLOOR_HZ)
    rng = Stream.SIMULATED_ANSWERS.rng(seed)
    shape = (len(images), presentations, len(order))
    return np.asarray(rng.poisson(np.broadcast_to(rate[:, None], shape) * p.bin_s) / p.bin_s)


def _parameters(given: Mapping[str, Any]) -> ImageryParameters:
    """Parameters as a recording carries them, whether it was written to a file or not."""
    known = dict(given)
    return ImageryParameters(**{**known, "kinds": SiteKinds(**dict(known.get("kinds", {})))})


def _responses(p: ImageryParameters, made: Planted, images: np.ndarray) -> np.ndarray:
    """Mean change from baseline of every planted site, (M, N), hertz."""
    shown = {v.tobytes(): k for k, v in enumerate(made.stimuli.videos[:, 1])}
    out = np.empty((len(images), len(made.sites)))
    for i, image in enumerate(images):
        known = shown.get(np.ascontiguousarray(image).tobytes())
        out[i] = _to_new(p, made, image) if known is None else made.responses.perceived[known]
    return out


def _to_new(p: ImageryParameters, made: Planted, image: np.ndarray) -> np.ndarray:
    """Mean change from baseline of every site to an image of no category, (N,)."""
    sites, share = made.sites, p.kinds.idiosyncratic
    away = image.transpose(1, 2, 0).ravel() / 255 - 0.5
    latent = np.linalg.lstsq(made.patterns, away, rcond=None)[0]
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
    own = np.random.default_rng([*digest]).standard_normal(len(sites))
    along = sites.filter(like="axis_").to_numpy() @ latent
    contrast = contrast_of(image[None], made.stimuli.videos[:, 1])
    along = p.kinds.shaped(along[None], contrast)[0]
    tuned = np.sqrt(1 - share) * along + np.sqrt(share) * own
    drive = np.where(sites["tuned"], tuned, np.where(sites["category_only"], 0.0, own))
    return np.where(sites["imagery_only"], 0.0, p.onset_hz + p.modulation_hz * drive)
