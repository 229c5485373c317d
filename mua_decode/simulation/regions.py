"""What is planted in a region: how many sites, tuned how strongly to what, and when."""

from __future__ import annotations

from dataclasses import dataclass

from mua_decode.simulation.checks import require_range, require_whole

FEATURES = ("cue", "colour", "direction")


@dataclass(frozen=True, kw_only=True)
class RegionParameters:
    """One region.

    Weights are modulations in units of a site's baseline rate: at weight 0.5 the peak response of
    an average site differs by half its baseline between its preferred and its least preferred
    hue or direction, or between its preferred cue and one it ignores. A region with all weights
    0 knows nothing of the stimulus beyond its onset.

    Parameters
    ----------
    sites
        Sites over all sessions, >= 1.
    cue, colour, direction
        Mean weight of the region's sites for the feature, >= 0.
    onset
        Untuned response to the onset of cue and stimulus, in baselines, >= 0.
    latency_s
        Time from a change on the screen to the start of the response, seconds, >= 0.
    transient_s
        Decay of the response from its peak to the sustained level, seconds, > 0.
    sustained
        Sustained level as a share of the peak, 0..1.

    Raises
    ------
    InputError
        For a value out of range.
    """

    sites: int
    cue: float = 0.0
    colour: float = 0.0
    direction: float = 0.0
    onset: float = 0.0
    latency_s: float = 0.08
    transient_s: float = 0.15
    sustained: float = 0.6

    def __post_init__(self) -> None:
        require_whole("region", low=1, sites=self.sites)
        require_range(
            "region",
            low=0,
            cue=self.cue,
            colour=self.colour,
            direction=self.direction,
            onset=self.onset,
            latency_s=self.latency_s,
        )
        require_range("region", low=0, above=True, transient_s=self.transient_s)
        require_range("region", low=0, high=1, sustained=self.sustained)


def six_regions() -> dict[str, RegionParameters]:
    """Six regions of macaque cortex, the default.

    Sites per region, and which region leads for which feature, follow Zhang et al. 2026
    (doi 10.1038/s42003-025-09486-7): shape mostly in V4, colour mostly in LIP, motion mostly in
    MT, IT weak; PFC and FEF respond to onsets but are planted with no tuning at all, so that an
    analysis that finds some there is wrong.
    """
    region = RegionParameters
    return {
        "PFC": region(sites=30, onset=0.10, latency_s=0.13, transient_s=0.25, sustained=0.7),
        "FEF": region(sites=30, onset=0.25, latency_s=0.08, transient_s=0.20, sustained=0.6),
        "LIP": region(
            sites=30,
            cue=0.48,
            colour=0.95,
            direction=0.35,
            onset=0.25,
            latency_s=0.09,
            transient_s=0.25,
            sustained=0.7,
        ),
        "MT": region(
            sites=20,
            cue=0.40,
            colour=0.48,
            direction=1.25,
            onset=0.50,
            latency_s=0.05,
            transient_s=0.10,
            sustained=0.6,
        ),
        "IT": region(
            sites=10,
            cue=0.40,
            colour=0.35,
            direction=0.15,
            onset=0.30,
            latency_s=0.10,
            transient_s=0.20,
            sustained=0.5,
        ),
        "V4": region(
            sites=20,
            cue=1.60,
            colour=0.58,
            direction=0.65,
            onset=0.50,
            latency_s=0.06,
            transient_s=0.12,
            sustained=0.5,
        ),
    }
