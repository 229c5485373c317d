"""Sites of the simulated imagery experiment: what each does when it sees, and when it imagines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from mua_decode.simulation.checks import require_range
from mua_decode.types import InputError

REPLAYED = ("all", "axis", "idiosyncratic")


@dataclass(frozen=True, kw_only=True)
class SiteKinds:
    """Sites that an analysis of imagery must not take for reactivation along an axis."""

    # Share of the variance of a tuned site's response that belongs to the single image and lies
    # in no feature space, and which part of the response a reactivating site replays.
    idiosyncratic: float = 0.0
    replays: str = "all"  # all, axis or idiosyncratic
    # Limits of a tuned site's axis: the share of its variance that belongs to the contrast of the
    # image instead, and where its drive saturates (tanh), in s.d.; ``None``: nowhere.
    contrast: float = 0.0
    saturation_sd: float | None = None
    # Share of the tuned sites that fall below baseline in imagery, by so much for every object.
    share_suppressed: float = 0.0
    suppression_hz: float = 2.0
    # Shares of the sites that are not tuned: those that replay their responses to the objects;
    # those silent in perception, with an imagined response to each object of its own; and those
    # that respond to an image's category alone.
    share_untuned_replaying: float = 0.0
    share_imagery_only: float = 0.0
    share_category_only: float = 0.0

    def __post_init__(self) -> None:
        shares = [k for k in vars(self) if k not in ("replays", "suppression_hz", "saturation_sd")]
        require_range("imagery.kinds", vars(self), *shares, low=0, high=1)
        require_range("imagery.kinds", vars(self), "suppression_hz", low=0)
        if self.saturation_sd is not None:
            require_range("imagery.kinds", vars(self), "saturation_sd", low=0, above=True)
        untuned = self.share_untuned_replaying + self.share_imagery_only + self.share_category_only
        if untuned > 1 + 1e-9:
            raise InputError(
                f"imagery.kinds: the shares of untuned sites add up to {untuned:g}; at most 1"
            )
        if self.replays not in REPLAYED:
            raise InputError(
                f"imagery.kinds: replays must be one of {', '.join(REPLAYED)}; found {self.replays}"
            )

    def shaped(self, drive: np.ndarray, contrast: np.ndarray) -> np.ndarray:
        """Drive (M, N) of tuned sites, with the contrast (M,) of the images and saturated.

        Both in standard deviations over the images of the experiment.
        """
        if self.contrast > 0:
            drive = np.sqrt(1 - self.contrast) * drive + np.sqrt(self.contrast) * contrast[:, None]
        s = self.saturation_sd
        return drive if s is None else s * np.tanh(drive / s)


class Responses(NamedTuple):
    """Mean change from baseline to every image, float64 (K, N), hertz."""

    perceived: np.ndarray
    imagined: np.ndarray


def plant(
    regions: Mapping[str, int],
    kinds: SiteKinds,
    *,
    shares: tuple[float, float],
    sessions: int,
    latents: int,
    rng: tuple[np.random.Generator, np.random.Generator],
) -> pd.DataFrame:
    """One row per site; planted shares are exact, up to one site, in every region.

    ``shares`` are those of tuned sites, and of reactivating ones among them; the first generator
    draws tuned sites and axes, the second the controls.
    """
    tables = []
    site_rng, control_rng = rng
    for region, n in regions.items():
        order = site_rng.permutation(n)
        n_tuned = round(shares[0] * n)
        n_reactivating = round(shares[1] * n_tuned)
        axes = site_rng.standard_normal((n, latents))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        table = pd.DataFrame(axes, columns=[f"axis_{d}" for d in range(latents)])
        table.insert(0, "site_id", [f"{region}-{i:03d}" for i in range(n)])
        table.insert(1, "region", region)
        table.insert(2, "session", [f"s{i % sessions}" for i in range(n)])
        n_suppressed = round(kinds.share_suppressed * n_tuned)
        members = {
            "tuned": order[:n_tuned],
            "reactivates": order[:n_reactivating],
            "suppressed": order[n_reactivating : n_reactivating + n_suppressed],
        }
        rest = control_rng.permutation(order[n_tuned:])
        start = 0
        for name in ("untuned_replaying", "imagery_only", "category_only"):
            stop = start + round(getattr(kinds, f"share_{name}") * len(rest))
            members[name], start = rest[start:stop], stop
        for place, (name, who) in enumerate(members.items(), start=3):
            table.insert(place, name, np.isin(np.arange(n), who))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def responses(
    truth: pd.DataFrame,
    latent: np.ndarray,
    category: np.ndarray | None,
    kinds: SiteKinds,
    *,
    contrast: np.ndarray,
    perceived: tuple[float, float],
    imagined: tuple[float, float],
    rng: tuple[np.random.Generator, np.random.Generator],
) -> Responses:
    """Mean responses of the planted sites (``truth``) to images at ``latent`` (K, L).

    ``contrast`` (K,) is that of the images, standardised.
    ``perceived`` and ``imagined`` are the mean change and its standard deviation over images, in
    hertz. Raises InputError if sites respond to categories and there are none.
    """
    site_rng, control_rng = rng
    is_a = {name: truth[name].to_numpy(bool) for name in truth if truth[name].dtype == bool}
    drive = latent @ truth.filter(like="axis_").to_numpy().T  # (K, N), unit variance
    untuned = ~is_a["tuned"]
    drive = kinds.shaped(drive, contrast)
    drive[:, untuned] = site_rng.standard_normal((len(latent), int(untuned.sum())))
    if is_a["category_only"].any():
        if category is None:
            raise InputError("imagery.kinds: share_category_only needs imagery.categories > 0")
        own = control_rng.standard_normal((category.max() + 1, int(is_a["category_only"].sum())))
        drive[:, is_a["category_only"]] = own[category]
    replayed = drive
    if kinds.idiosyncratic > 0:
        own = np.where(untuned, 0.0, control_rng.standard_normal(drive.shape))
        own *= np.sqrt(kinds.idiosyncratic)
        along = np.where(untuned, 1.0, np.sqrt(1 - kinds.idiosyncratic)) * drive
        drive = along + own
        chosen = {"all": drive, "axis": along, "idiosyncratic": own}[kinds.replays]
        replayed = np.where(untuned, drive, chosen)
    seen = perceived[0] + perceived[1] * drive
    seen[:, is_a["imagery_only"]] = 0
    again = is_a["reactivates"] | is_a["untuned_replaying"] | is_a["imagery_only"]
    thought = (imagined[0] + imagined[1] * replayed) * again
    thought[:, is_a["suppressed"]] = -kinds.suppression_hz
    return Responses(seen, thought)
