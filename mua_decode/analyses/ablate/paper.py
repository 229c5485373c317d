"""Tables and pictures of the paper: what masking costs, and Shapley values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.analyses.ablate.figure import boxes, segments, shapley_picture
from mua_decode.analyses.ablate.losses import units_in
from mua_decode.report import Picture, RegionPanel, Section
from mua_decode.report.paper import (
    PaperTable,
    Results,
    Tables,
    beside,
    frames_first,
    paper_section,
)
from mua_decode.runs.drawn import write_pictures
from mua_decode.runs.folder import RunFolder
from mua_decode.scoring.averages import known_mean
from mua_decode.statistics import interval_columns
from mua_decode.types import StimulusSet

MASKED = {
    "cue_pixels": "S4",
    "colour_error": "S5",
    "direction_error": "S6",
    "cue_difference": "S28",
}
_MEASURED = {
    "cue_pixels": "shape: pixels of the cue that change sides (our reading)",
    "cue_difference": "shape: mean difference of the cue's pixels as they are (the other reading)",
    "colour_error": "colour: RGB",
    "direction_error": "motion: degrees",
}
_INTERVALS = [
    "interval_of", "units", "n_units", "units_mean", "units_low", "units_high", "note"
]  # fmt: skip


def masking(results: Results, metric: str) -> PaperTable:
    """S4 to S6 and S28: what masking costs, and how far it moves the reconstruction."""
    parts: list[pd.DataFrame] = []
    entry = "cue_pixels" if metric == "cue_difference" else metric
    known = results.published.get("masking", {}).get(entry)
    for protocol in results.protocols:
        means = results.read(protocol, "ablation/means.csv")
        changes = results.read(protocol, "ablation/changes.csv")
        if means is None or changes is None:
            continue
        chosen = means[means["family"].isin(["region", "group"]) & (means["metric"] == metric)]
        columns = ["removed", "fill", "trial", "loss", "sd", "low", "high", "n", "rank", "unit"]
        columns += _INTERVALS
        moved = changes[changes["metric"] == metric]
        moved = moved.rename(columns={"sd": "change_sd"})[
            ["removed", "fill", "change", "change_sd"]
        ]
        table = chosen.reindex(columns=columns).merge(moved, on=["removed", "fill"], how="left")
        average = table["trial"] == "trial_average"
        table.loc[~average, ["change", "change_sd"]] = np.nan
        extra = [
            beside(known, r) if a else {} for r, a in zip(table["removed"], average, strict=True)
        ]
        table = pd.concat([table, pd.DataFrame(extra, index=table.index)], axis=1)
        table.insert(0, "protocol", protocol)
        parts.append(table.rename(columns={"removed": "region"}))
    title = (
        f"Masking, {_MEASURED[metric]}. Loss: error against the truth added by masking. Change: "
        "distance from the unmasked reconstruction, as published, never below zero even where "
        "nothing is lost. Low and high speak for the conditions alone, units_low and units_high, "
        "round units_mean, for other units like these"
    )
    frame = pd.concat(parts, ignore_index=True) if any(map(len, parts)) else None
    why = results.reason("ablation", f"{metric} cannot be measured in it") if frame is None else ""
    return PaperTable(f"{MASKED[metric]}_masking_{metric}", title, frame, why, "ablation")


def tests(results: Results) -> PaperTable:
    """S7: every test of the errors under a mask."""
    return results.table(
        "S7_masking_tests",
        "Tests of region masking: errors against the truth with and without the mask",
        "ablation/tests.csv",
        why="the step has no tests",
    )


def prediction_tests(results: Results) -> PaperTable:
    """S23: the published test of masking."""
    return results.table(
        "S23_masking_predictions",
        "Published test of region masking: predictions with the mask against those without, "
        "unpaired; what is counted is our reading. Blind to whatever leaves the mean over "
        "conditions where it was",
        "ablation/prediction_tests.csv",
        why="it has no cue, colour or motion",
    )


def mixed(results: Results) -> PaperTable:
    """S35: losses in mixed-effects models."""
    return results.table(
        "S35_masking_mixed",
        "Losses of regions in linear mixed models, random effects of what conditions share, beside "
        "the test over unit means (p_unit_means); agrees: both on one side of .05, uncorrected",
        "ablation/mixed.csv",
        why="its conditions share no cue, colour or direction",
    )


def contrasts(results: Results) -> PaperTable:
    """S24: regions against each other."""
    return results.table(
        "S24_region_contrasts",
        "Regions against each other, every pair: losses, and changes of the reconstruction, "
        "paired over conditions",
        "ablation/contrasts.csv",
        why="it has fewer than two regions",
    )


def shapley(results: Results) -> PaperTable:
    """S15: Shapley values."""
    return results.table(
        "S15_shapley",
        "Shapley values: what a region adds, over all orders of adding regions; 95 % intervals "
        "over these conditions and over units, uncorrected, one draw of donors",
        "ablation/shapley.csv",
    )


def equal_sites(results: Results) -> PaperTable:
    """S16: equal numbers of sites masked."""

    def make(losses: pd.DataFrame) -> pd.DataFrame | None:
        rows = losses[losses["family"] == "equal"]
        if not len(rows):
            return None
        drawn = rows["removed"].str.extract(
            r"^(?P<sites>\d+) of (?P<region>.*), draw (?P<draw>\d+)$"
        )
        rows = pd.concat([rows, drawn], axis=1)
        keys = ["fill", "trial", "metric", "unit", "region", "sites"]
        out: list[dict[str, object]] = []
        rng = np.random.default_rng(0)
        for key, part in rows.groupby(keys, sort=False):
            of = part.drop_duplicates("condition")
            over_draws = part.groupby("condition", sort=False)["loss"].mean().to_numpy()
            row = dict(zip(keys, key, strict=True)) | {"draws": part["draw"].nunique()}
            row |= {"loss": known_mean(over_draws)[0]}
            out.append(row | interval_columns(over_draws, units_in(of), rng=rng))
        return pd.DataFrame(out)

    return results.table(
        "S16_equal_sites",
        "Masking equal numbers of sites, loss averaged over draws: is it the region or its size? "
        "95 % intervals over these conditions and over units, one draw of donors",
        "ablation/losses.csv",
        make,
    )


def panel(
    results: Results, stimuli: Mapping[str, StimulusSet], regions: Sequence[str]
) -> Section | None:
    """Regions switched on and off: the last protocol that has all subsets, enough to mail.

    Parameters
    ----------
    stimuli
        What was shown, one frame per bin, by protocol.
    regions
        Of the recording, in order.
    """
    for protocol in reversed(results.protocols):
        folder = results.out / protocol / "ablation"
        subsets = results.read(protocol, "ablation/subsets.csv")
        scores = results.read(protocol, "ablation/results.csv")
        films = results.out / protocol / "decoder" / "films.npz"
        if subsets is None or scores is None or not films.is_file():
            continue
        listed = subsets["regions"].fillna("").str.split("+")
        shown = [r for r in regions if any(r in part for part in listed)]
        with np.load(films, allow_pickle=False) as file:
            true, condition = file["true"], file["condition"]
        known = stimuli[protocol]
        switches = RegionPanel(
            regions=shown,
            keep=np.array([[r in part for r in shown] for part in listed]),
            videos=_subset_videos([folder / f for f in subsets["file"]]),
            true=frames_first(true),
            conditions=[known.names[k] for k in condition],
            segments=known.segments,
            frame_s=known.frame_s,
            scores=_subset_scores(scores, subsets),
            caption=(
                "Averages over test trials; switched-off regions are filled with: "
                f"{subsets['fill'].iloc[0]}."
            ),
        )
        text = [
            f"Protocol {protocol}. Switch regions on and off and choose a condition: the "
            "decoder was trained on all regions and sees only those that are on."
        ]
        return Section("Switch regions on and off", text=text, panel=switches)
    return None


def _subset_videos(files: Sequence[Path]) -> Iterator[tuple[int, np.ndarray]]:
    for number, path in enumerate(files):
        with np.load(path, allow_pickle=False) as file:
            yield number, frames_first(file["predicted"])


def _subset_scores(scores: pd.DataFrame, subsets: pd.DataFrame) -> pd.DataFrame:
    """Mean scores of every subset over conditions, averages over trials."""
    number = {
        f"{m} ({f})": i
        for i, (m, f) in enumerate(zip(subsets["mask"], subsets["fill"], strict=True))
    }
    rows = scores[
        (scores["condition"] == "all")
        & (scores["trial"] == "trial_average")
        & scores["mask"].isin(number)
    ]
    rows = rows.assign(subset=rows["mask"].map(number))
    return rows[["subset", "metric", "value", "unit"]].drop_duplicates(["subset", "metric"])


def section(results: Results, tables: Tables) -> Section:
    """What each region contributes."""
    pictures: list[Picture] = []
    for protocol in results.protocols:
        losses = results.read(protocol, "ablation/losses.csv")
        tested = results.read(protocol, "ablation/tests.csv")
        folder = RunFolder(results.out / protocol / "ablation")
        if losses is not None and tested is not None:
            made = partial(boxes, protocol, losses, tested)
            pictures += write_pictures("report_losses", made, folder)
        for name, drawn in (("shapley", shapley_picture), ("segments", segments)):
            pictures += write_pictures(f"report_{name}", partial(drawn, results, protocol), folder)
    text = [
        "After training on all regions, a region's sites are replaced at test time, and the video "
        "decoded from the rest is scored on the same trials, with the same averaging. As "
        "published, they show the network zeros, and unpaired t-tests compare predictions with the "
        "mask with those without (S23; the same test of errors, in S7 and the stars, is our "
        "reading). Rigorously, they show their activity in trials of another "
        "condition: a region that says nothing of the condition then loses nothing in "
        "expectation, which is what the paired test over conditions asks. Zeros are input the "
        "network has never seen: with them, regions that know nothing come out too. Read those "
        "values as the published measure, not as contributions.",
        "Shapley values share the score of the whole population out to its regions, over every "
        "order in which regions can be added. Shape, colour and motion are the primary measures; "
        "everything else is exploratory. Tests and intervals speak for this trained network and "
        "this split, not for other networks; those over conditions for these conditions alone, "
        "which share 4 cues, colours or directions, those over units for other cues, say. A "
        "direction that is undefined counts as 90 degrees off; conditions in which it is undefined "
        "with and without every mask are left out, the same for all regions, and changes leave out "
        "those in which it is undefined without a mask.",
    ]
    shown = [tables[n] for n in ("S4", "S28", "S5", "S6", "S7", "S35", "S23", "S24", "S15", "S16")]
    title = "Figure 3. What each region contributes: masking"
    return paper_section(title, text, shown, pictures)
