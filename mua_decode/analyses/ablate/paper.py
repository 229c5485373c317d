"""Tables and pictures of the paper: what masking costs, and Shapley values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode import figures
from mua_decode.analyses.ablate.losses import condition_interval
from mua_decode.report import Picture, RegionPanel, Section, Statistics
from mua_decode.report.paper import (
    TITLES,
    PaperTable,
    Results,
    Tables,
    beside,
    frames_first,
    paper_section,
)
from mua_decode.types import StimulusSet

MASKED = {"cue_pixels": "S4", "colour_error": "S5", "direction_error": "S6"}


_SHOWN = ("cue_pixels", "colour_error", "direction_error", "identification")


def masking(results: Results, metric: str) -> PaperTable:
    """S4 to S6: what masking costs, and how far it moves the reconstruction."""
    parts: list[pd.DataFrame] = []
    known = results.published.get("masking", {}).get(metric)
    for protocol in results.protocols:
        means = results.read(protocol, "ablation/means.csv")
        changes = results.read(protocol, "ablation/changes.csv")
        if means is None or changes is None:
            continue
        chosen = means[means["family"].isin(["region", "group"]) & (means["metric"] == metric)]
        columns = ["removed", "fill", "trial", "loss", "sd", "low", "high", "n", "rank", "unit"]
        moved = changes[changes["metric"] == metric]
        moved = moved.rename(columns={"sd": "change_sd"})[
            ["removed", "fill", "change", "change_sd"]
        ]
        table = chosen[columns].merge(moved, on=["removed", "fill"], how="left")
        average = table["trial"] == "trial_average"
        table.loc[~average, ["change", "change_sd"]] = np.nan
        extra = [
            beside(known, r) if a else {} for r, a in zip(table["removed"], average, strict=True)
        ]
        table = pd.concat([table, pd.DataFrame(extra, index=table.index)], axis=1)
        table.insert(0, "protocol", protocol)
        parts.append(table.rename(columns={"removed": "region"}))
    what = {
        "cue_pixels": "Masking, shape: pixels of the cue",
        "colour_error": "Masking, colour: RGB",
        "direction_error": "Masking, motion: degrees",
    }[metric]
    title = (
        f"{what}. Loss: error against the truth added by masking. Change: distance from the "
        "unmasked reconstruction, as published, never below zero even where nothing is lost"
    )
    frame = pd.concat(parts, ignore_index=True) if any(map(len, parts)) else None
    why = results.reason("ablation", f"{metric} cannot be measured in it") if frame is None else ""
    return PaperTable(f"{MASKED[metric]}_masking_{metric}", title, frame, why, "ablation")


def tests(results: Results) -> PaperTable:
    """S7: every test of masking."""
    return results.table(
        "S7_masking_tests",
        "Tests of region masking",
        "ablation/tests.csv",
        why="the step has no tests",
    )


def shapley(results: Results) -> PaperTable:
    """S15: Shapley values."""
    return results.table(
        "S15_shapley",
        "Shapley values: what a region adds, over all orders of adding regions; 95 % intervals "
        "over conditions, uncorrected, one draw of donors",
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
        for key, part in rows.groupby(keys, sort=False):
            over_draws = part.groupby("condition", sort=False)["loss"].mean().dropna()
            interval = condition_interval(over_draws.to_numpy())
            out.append(
                dict(zip(keys, key, strict=True))
                | {
                    "draws": part["draw"].nunique(),
                    "loss": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "n": len(over_draws),
                }
            )
        return pd.DataFrame(out)

    return results.table(
        "S16_equal_sites",
        "Masking equal numbers of sites, loss averaged over draws: is it the region or its size? "
        "95 % bootstrap intervals over conditions, one draw of donors",
        "ablation/losses.csv",
        make,
    )


def boxes(protocol: str, losses: pd.DataFrame, tests: pd.DataFrame) -> list[Picture]:
    """Losses of the conditions per region, with marks of the tests the protocol reports."""
    trial = "trial_average" if protocol == "published" else "single_trial"
    chosen = losses[
        (losses["family"] == "region") & (losses["trial"] == trial) & losses["metric"].isin(_SHOWN)
    ]
    if not len(chosen):
        return []
    fill = str(chosen["fill"].iloc[0])
    values = chosen.rename(columns={"removed": "row", "loss": "value"})
    values = values[["row", "metric", "value", "unit"]]
    kind = "two-sample t" if protocol == "published" else "paired t"
    label = tests["metric"].str.split(", ", expand=True)
    marks = tests.assign(name=label[0], averaging=label[1])
    marks = marks[(marks["averaging"] == trial) & marks["name"].isin(chosen["metric"].unique())]
    marks = marks[marks["test"].str.startswith(kind)]
    correction = str(marks["correction"].iloc[0]) if len(marks) else "none"
    test = str(marks["test"].iloc[0]) if len(marks) else ""
    known = chosen[chosen["loss"].notna()].groupby(["metric", "removed"]).size()
    n = _n(known.min(), known.max())
    if kind == "two-sample t" and len(marks):
        test = f"{test}, df up to {marks['df'].max():g}"
    marks = marks[(marks["effect"] > 0) | (marks["p_corrected"] >= 0.05)]  # stars mark losses
    marks = marks.rename(columns={"group": "row"}).drop(columns=["p", "metric"])
    marks = marks.rename(columns={"p_corrected": "p", "name": "metric"})
    marks = marks[marks["row"].isin(values["row"].unique()) & marks["p"].notna()]
    figure = figures.boxes(
        values,
        tests=marks[["row", "metric", "p"]],
        title=f"Loss when a region is masked, {TITLES[protocol]}",
        note=f"n = {n}, {test}, {correction}; fill {fill}, {trial.replace('_', ' ')}",
    )
    statistics = Statistics(n=n, test=test, correction=correction)
    caption = (
        "Loss per condition; above zero is worse than with all regions. Stars mark losses only; "
        "one trained network, one split."
    )
    return [Picture(figure, caption, statistics)]


def shapley_picture(results: Results, protocol: str) -> list[Picture]:
    """Shapley values with the line they sum to."""
    table = results.read(protocol, "ablation/shapley.csv")
    if table is None:
        return []
    chosen = _averaging(table[table["metric"].isin(_SHOWN)], protocol)
    chosen = chosen[chosen["value"].notna()]
    if not len(chosen):
        return []
    rows = chosen.rename(columns={"region": "row"})
    ends = chosen.groupby("metric", sort=False).first().reset_index()
    lines = pd.DataFrame(
        {
            "metric": ends["metric"],
            "label": "all regions minus none",
            "value": ends["full"] - ends["nothing"],
        }
    )
    figure = figures.intervals(
        rows[["row", "metric", "value", "low", "high", "unit"]],
        lines=lines,
        title=f"Shapley values, {TITLES[protocol]}",
        note=(
            f"n = {_n(chosen['n'].min(), chosen['n'].max())}, 95 % bootstrap intervals over "
            f"conditions; {_said(chosen)}"
        ),
    )
    caption = (
        "What a region adds to the score; bars of errors point down where it helps. With shuffled "
        "regions it is what the region adds against input that speaks for other conditions, for "
        "one draw of donors; zeros are input the network has never seen. Not corrected."
    )
    return [Picture(figure, caption)]


def segments(results: Results, protocol: str) -> list[Picture]:
    """Loss of a region masked in one segment only."""
    means = results.read(protocol, "ablation/means.csv")
    if means is None:
        return []
    chosen = _averaging(means[means["family"] == "segment"], protocol)
    pictures: list[Picture] = []
    for metric in ("cue_pixels", "colour_error", "direction_error"):
        rows = chosen[chosen["metric"] == metric]
        if not rows["loss"].notna().any():
            continue
        place = rows["removed"].str.extract(r"^(?P<row>.*) in (?P<column>[^ ]+)$")
        cells = pd.concat([place, rows[["loss"]].rename(columns={"loss": "value"})], axis=1)
        unit = str(rows["unit"].iloc[0])
        name = metric.replace("_", " ")
        figure = figures.heatmap(
            cells,
            label=f"loss ({unit})",
            title=f"{name}: region masked in one segment only, {protocol}",
            note=f"{_said(rows)}, mean over conditions",
        )
        pictures.append(Picture(figure, f"{name.capitalize()}, region by segment, {protocol}."))
    return pictures


def _n(least: float, most: float) -> str:
    """Number of conditions; a direction is undefined in some."""
    return f"{most:g} conditions" if least == most else f"{least:g} to {most:g} conditions"


def _averaging(table: pd.DataFrame, protocol: str) -> pd.DataFrame:
    """Rows of the averaging that a protocol reports: single trials first where rigorous.

    A metric that was not scored on single trials is shown on averages.
    """
    if protocol == "published":
        return table[table["trial"] == "trial_average"]
    single = table[table["trial"] == "single_trial"]
    rest = table[(table["trial"] == "trial_average") & ~table["metric"].isin(single["metric"])]
    return pd.concat([single, rest])


def _said(table: pd.DataFrame) -> str:
    """Which averaging each metric has, in words."""
    pairs = table[["metric", "trial"]].drop_duplicates().astype(str)
    kinds = [(m.replace("_", " "), t.replace("_", " ")) for m, t in pairs.to_numpy()]
    if len({trial for _, trial in kinds}) == 1:
        return kinds[0][1]
    return "; ".join(f"{metric}: {trial}" for metric, trial in kinds)


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
        if losses is not None and tested is not None:
            pictures += boxes(protocol, losses, tested)
        pictures += shapley_picture(results, protocol) + segments(results, protocol)
    text = [
        "After training on all regions, a region's sites are replaced at test time, and the video "
        "decoded from the rest is scored on the same trials, with the same averaging. As "
        "published, they show the network zeros, and unpaired t-tests compare masked with "
        "unmasked conditions. Rigorously, they show their activity in trials of another "
        "condition: a region that says nothing of the condition then loses nothing in "
        "expectation, which is what the paired test over conditions asks. Zeros are input the "
        "network has never seen: with them, regions that know nothing come out too. Read those "
        "values as the published measure, not as contributions.",
        "Shapley values share the score of the whole population out to its regions, over every "
        "order in which regions can be added. Shape, colour and motion are the primary measures; "
        "everything else is exploratory. Conditions are the units: tests and intervals speak for "
        "this trained network and this split, not for other networks. A direction that is "
        "undefined counts as 90 degrees off; conditions in which it is undefined with and without "
        "every mask are left out, the same for all regions.",
    ]
    shown = [tables[n] for n in ("S4", "S5", "S6", "S7", "S15", "S16")]
    title = "Figure 3. What each region contributes: masking"
    return paper_section(title, text, shown, pictures)
