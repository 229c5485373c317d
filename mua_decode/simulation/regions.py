"""What is planted in a region: how many sites, tuned how strongly to what, and when."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mua_decode.simulation.checks import require_range, require_whole

FEATURES = ("cue", "colour", "direction")


@dataclass(frozen=True, kw_only=True)
class RegionParameters:
    """One region.

    Weights are modulations in units of a site's baseline rate: at weight 0.5 the peak response of
    an average site differs by half its baseline between its preferred and its least preferred
    hue or direction, or between its preferred cue and one it ignores. A region with all weights
    0 knows nothing of the stimulus beyond its onset.
    """

    sites: int  # sites over all sessions, >= 1
    # Mean weight of the region's sites for the feature, >= 0.
    cue: float = 0.0
    colour: float = 0.0
    direction: float = 0.0
    onset: float = 0.0  # untuned response to the onset of cue and stimulus, in baselines, >= 0
    # Time from a change on the screen to the start of the response, seconds, >= 0.
    latency_s: float = 0.08
    # Decay of the response from its peak to the sustained level, seconds, > 0.
    transient_s: float = 0.15
    sustained: float = 0.6  # sustained level as a share of the peak, 0..1

    def __post_init__(self) -> None:
        require_whole("region", vars(self), "sites", low=1)
        require_range("region", vars(self), *FEATURES, "onset", "latency_s", low=0)
        require_range("region", vars(self), "transient_s", low=0, above=True)
        require_range("region", vars(self), "sustained", low=0, high=1)


_SIX_REGIONS = {
    # sites, cue, colour, direction, onset, latency_s, transient_s, sustained
    "PFC": (30, 0.0, 0.0, 0.0, 0.10, 0.13, 0.25, 0.7),
    "FEF": (30, 0.0, 0.0, 0.0, 0.25, 0.08, 0.20, 0.6),
    "LIP": (30, 0.48, 0.95, 0.35, 0.25, 0.09, 0.25, 0.7),
    "MT": (20, 0.40, 0.48, 1.25, 0.50, 0.05, 0.10, 0.6),
    "IT": (10, 0.40, 0.35, 0.15, 0.30, 0.10, 0.20, 0.5),
    "V4": (20, 1.60, 0.58, 0.65, 0.50, 0.06, 0.12, 0.5),
}


def six_regions() -> dict[str, RegionParameters]:
    """Six regions of macaque cortex, the default.

    Sites per region, and which region leads for which feature, follow Zhang et al. 2026
    (doi 10.1038/s42003-025-09486-7): shape mostly in V4, colour mostly in LIP, motion mostly in
    MT, IT weak; PFC and FEF respond to onsets but are planted with no tuning at all, so that an
    analysis that finds some there is wrong.
    """
    names = [f.name for f in fields(RegionParameters)][1:]
    return {
        region: RegionParameters(sites=sites, **dict(zip(names, others, strict=True)))
        for region, (sites, *others) in _SIX_REGIONS.items()
    }
