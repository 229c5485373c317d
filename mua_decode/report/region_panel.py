"""Regions that the reader switches on and off, and what is then reconstructed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mua_decode.figures.panels import require
from mua_decode.report.films import check_times, check_videos
from mua_decode.types import InputError, Segment


@dataclass(frozen=True, eq=False)
class RegionPanel:
    """Reconstructions from subsets of regions, chosen by buttons.

    Raises InputError if shapes disagree, a subset is given twice, or the scores lack a column.

    Parameters
    ----------
    regions
        R names, one button each.
    keep
        bool (M, R): which regions each of M subsets keeps; no row twice. Subsets that are not
        among them are shown as "not computed".
    videos
        What was reconstructed: (row of ``keep``, videos (K, T, C, H, W)) each, uint8 or float in
        [0, 1]; walked once.
    true
        (K, T, C, H, W), what was shown.
    conditions, segments, frame_s
        As of ``Films``.
    scores
        Columns ``subset`` (row of ``keep``), ``metric``, ``value``; one row per subset and metric;
        optionally ``unit``.
    """

    regions: Sequence[str]
    keep: np.ndarray
    videos: Iterable[tuple[int, np.ndarray]]
    true: np.ndarray
    conditions: Sequence[str]
    segments: Sequence[Segment]
    frame_s: float
    scores: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["subset", "metric", "value"])
    )
    caption: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        keep = self.keep
        if keep.ndim != 2 or keep.dtype != bool or keep.shape[1] != len(self.regions):
            raise InputError(
                f"region panel: keep must be bool (M, {len(self.regions)}), "
                f"found {keep.dtype} {keep.shape}"
            )
        if not len(keep) or len(np.unique(keep, axis=0)) != len(keep):
            raise InputError("region panel: keep must hold at least one subset, and none twice")
        check_videos(self.true, "region panel: true", n_conditions=len(self.conditions))
        check_times(self.segments, self.frame_s, "region panel")
        require(self.scores, ("subset", "metric", "value"), "region panel: the scores lack")
        if self.scores.duplicated(["subset", "metric"]).any():
            raise InputError("region panel: the scores name a metric of a subset twice")

    def subsets(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (row of ``keep``, videos (K, T, C, H, W)) without holding more than one subset.

        Raises InputError if the videos of a subset have an unexpected shape.
        """
        for index, videos in self.videos:
            if not 0 <= index < len(self.keep):
                raise InputError(f"region panel: no subset {index}, there are {len(self.keep)}")
            what = f"region panel: subset {index}"
            check_videos(videos, what, n_conditions=len(self.conditions))
            if videos.shape[1] != self.true.shape[1]:
                raise InputError(
                    f"{what} has {videos.shape[1]} frames, the true videos {self.true.shape[1]}"
                )
            yield index, videos
