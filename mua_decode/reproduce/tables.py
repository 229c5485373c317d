"""The tables of the paper, ours beside the published values, both protocols side by side."""

from __future__ import annotations

from mua_decode.report.results import PaperTable, Results
from mua_decode.reproduce import activity_tables, region_tables, video_tables


def paper_tables(results: Results) -> list[PaperTable]:
    """All tables, in order."""
    return [
        video_tables.cue_shape(results),
        video_tables.colour(results),
        video_tables.motion(results),
        *(region_tables.masking(results, metric) for metric in region_tables.MASKED),
        region_tables.step_tests(
            results, "ablation", "S7_masking_tests", "Tests of region masking"
        ),
        region_tables.alone(results),
        region_tables.step_tests(
            results,
            "isolate",
            "S9_alone_chance",
            "One region alone: noise inputs, as published; permuted conditions",
        ),
        activity_tables.encoding(results),
        activity_tables.bands(results),
        activity_tables.similarity(results),
        video_tables.compare(results),
        video_tables.folds(results),
        region_tables.shapley(results),
        region_tables.equal_sites(results),
        video_tables.held_out(results),
        video_tables.curves(results),
        activity_tables.separation(results),
        video_tables.noise(results),
        video_tables.motion_tests(results),
        video_tables.seeds(results),
    ]
