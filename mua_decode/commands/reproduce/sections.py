"""The report: sections after the paper's figures, both protocols side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode import __version__, figures
from mua_decode.commands.reproduce.headlines import headlines
from mua_decode.commands.reproduce.plan import Outcome
from mua_decode.commands.reproduce.steps import Protocol
from mua_decode.commands.reproduce.tables import PaperTable, Results
from mua_decode.report import (
    Films,
    NotApplicable,
    Picture,
    RegionPanel,
    Section,
    Statistics,
    write_page,
)
from mua_decode.types import ResultTable, StimulusSet

_SHOWN = ("cue_pixels", "colour_error", "direction_error", "identification")
_TITLES = {
    "published": "as published (pooled, then split: LEAKS)",
    "rigorous": "rigorous (recorded trials split first)",
}


def write_report(
    out: Path,
    results: Results,
    tables: Sequence[PaperTable],
    protocols: Sequence[Protocol],
    outcome: Outcome,
) -> Path:
    """Write ``report.html`` from the files of the steps."""
    by_name = {t.name.split("_")[0]: t for t in tables}
    recording = protocols[0].recording
    sections = [
        _reconstruction(results, by_name, protocols),
        _masking(results, by_name),
        _panel(results, protocols),
        _alone(results, by_name),
        _encoding(results, by_name),
        _similarity(results, by_name),
        _baselines(results, by_name),
        _generalisation(results, by_name),
        _noise(by_name),
        _methods(protocols, outcome),
    ]
    return write_page(
        out / "report.html",
        [s for s in sections if s is not None],
        title=f"Video decoded from multi-unit activity: {recording.name}",
        headlines=headlines(results, protocols),
        footer=(
            f"mua_decode {__version__}, seed {protocols[0].cfg.seed}; every number: results.csv "
            "and tables/ beside this file"
        ),
    )


def _section(
    title: str,
    text: Sequence[str],
    tables: Sequence[PaperTable],
    pictures: Sequence[Picture] = (),
    films: Sequence[Films] = (),
) -> Section:
    shown = {
        f"{t.name.split('_')[0]}. {t.title}": _blank(t.frame) for t in tables if t.frame is not None
    }
    absent = [
        NotApplicable(f"{t.name.split('_')[0]}. {t.title}", t.reason)
        for t in tables
        if t.frame is None
    ]
    return Section(
        title, text=text, tables=shown, pictures=pictures, not_applicable=absent, films=films
    )


def _blank(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave cells empty where the paper has no value."""
    known = [c for c in frame.columns if str(c).startswith("published")]
    out = frame.copy()
    for column in known:
        out[column] = out[column].astype(object).where(out[column].notna(), "")
    return out


def _files(results: Results, step: str, names: Sequence[str], caption: str) -> list[Picture]:
    """Figures that a step left in its folder, one per protocol."""
    found: list[Picture] = []
    for protocol in results.protocols:
        for name in names:
            path = results.out / protocol / step / "figures" / f"{name}.png"
            if path.is_file() and f"{protocol}/{step.split('/')[0]}" not in results.reasons:
                found.append(Picture(path, f"{caption} {_TITLES[protocol].capitalize()}."))
    return found


def _reconstruction(
    results: Results, by_name: dict[str, PaperTable], protocols: Sequence[Protocol]
) -> Section:
    pictures = _files(
        results,
        "decoder/run",
        ["frames_single_trial"],
        "True frames above decoded ones, single test trials.",
    ) + _files(results, "decoder/run", ["confusion"], "Conditions identified from single trials.")
    text = [
        "Single trials first, then averages over the trials of a condition. The ceiling is the "
        "same measure on the true videos: what the metric itself can give.",
    ]
    tables = [by_name[n] for n in ("S1", "S2", "S3")]
    films = _films(results, protocols)
    return _section(
        "Figure 2. Reconstruction: shape, colour, motion", text, tables, pictures, films
    )


def _films(results: Results, protocols: Sequence[Protocol]) -> list[Films]:
    rows: dict[str, np.ndarray] = {}
    stimuli: StimulusSet | None = None
    conditions: np.ndarray | None = None
    for protocol in protocols:
        path = results.out / protocol.name / "decoder" / "films.npz"
        if not path.is_file() or f"{protocol.name}/decoder" in results.reasons:
            continue
        with np.load(path, allow_pickle=False) as file:
            found = {k: file[k] for k in file.files}
        if conditions is not None and not np.array_equal(conditions, found["condition"]):
            continue
        if stimuli is None:
            stimuli, conditions = protocol.data.stimuli, found["condition"]
            rows["true, one video"] = _frames_first(found["shown"])
            rows["true, average"] = _frames_first(found["true"])
        rows[f"{protocol.name}, single trial"] = _frames_first(found["single"])
        rows[f"{protocol.name}, average"] = _frames_first(found["average"])
    if stimuli is None or conditions is None:
        return []
    names = [stimuli.names[k] for k in conditions]
    caption = (
        "Decoded from test trials. The dots of a trial start at random places, which spikes say "
        "nothing of: a single decoded video is compared with the average, not with its own dots."
        if len(stimuli.videos) > stimuli.n_conditions
        else "Decoded from test trials."
    )
    return [Films(rows, names, stimuli.segments, stimuli.frame_s, caption=caption)]


def _frames_first(videos: np.ndarray) -> np.ndarray:
    """(K, C, T, H, W) -> (K, T, C, H, W)."""
    return np.ascontiguousarray(videos.swapaxes(1, 2))


def _masking(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures: list[Picture] = []
    for protocol in results.protocols:
        losses = results.read(protocol, "ablation/losses.csv")
        tests = results.read(protocol, "ablation/tests.csv")
        if losses is not None and tests is not None:
            pictures += _boxes(protocol, losses, tests)
        pictures += _shapley(results, protocol) + _segments(results, protocol)
    text = [
        "After training on all regions, a region's sites are replaced at test time, and the video "
        "decoded from the rest is scored on the same trials, with the same averaging. As "
        "published, they show the network zeros, and unpaired t-tests compare masked with "
        "unmasked conditions. Rigorously, they show their activity in another trial: a region "
        "that says nothing of the condition then changes nothing in expectation, which is what "
        "the paired test over conditions asks.",
        "Shapley values share the score of the whole population out to its regions, over every "
        "order in which regions can be added.",
    ]
    tables = [by_name[n] for n in ("S4", "S5", "S6", "S7", "S15", "S16")]
    return _section("Figure 3. What each region contributes: masking", text, tables, pictures)


def _boxes(protocol: str, losses: pd.DataFrame, tests: pd.DataFrame) -> list[Picture]:
    trial = "trial_average" if protocol == "published" else "single_trial"
    chosen = losses[
        (losses["family"] == "region") & (losses["trial"] == trial) & losses["metric"].isin(_SHOWN)
    ]
    if not len(chosen):
        return []
    fill = str(chosen["fill"].iloc[0])
    values = chosen.rename(columns={"removed": "row", "loss": "value"})
    values = values[["row", "metric", "value", "unit"]]
    kind = "unpaired" if protocol == "published" else "paired"
    label = tests["metric"].str.split(", ", expand=True)
    marks = tests.assign(name=label[0], averaging=label[1])
    marks = marks[(marks["averaging"] == trial) & marks["name"].isin(chosen["metric"].unique())]
    starts = marks["test"].str.contains("two-sample|unpaired|independent", case=False)
    marks = marks[starts if kind == "unpaired" else ~starts]
    correction = str(marks["correction"].iloc[0]) if len(marks) else "none"
    test = str(marks["test"].iloc[0]) if len(marks) else ""
    n = int(marks["n"].max()) if len(marks) else 0
    marks = marks.rename(columns={"group": "row"}).drop(columns=["p", "metric"])
    marks = marks.rename(columns={"p_corrected": "p", "name": "metric"})
    marks = marks[marks["row"].isin(values["row"].unique()) & marks["p"].notna()]
    figure = figures.boxes(
        values,
        tests=marks[["row", "metric", "p"]],
        title=f"Loss when a region is masked, {_TITLES[protocol]}",
        note=f"n = {n} conditions, {test}, {correction}; fill {fill}, {trial.replace('_', ' ')}",
    )
    statistics = Statistics(n=f"{n} conditions", test=test, correction=correction)
    caption = "Loss per condition; above zero is worse than with all regions."
    return [Picture(figure, caption, statistics)]


def _shapley(results: Results, protocol: str) -> list[Picture]:
    table = results.read(protocol, "ablation/shapley.csv")
    if table is None:
        return []
    chosen = table[(table["trial"] == "trial_average") & table["metric"].isin(_SHOWN)]
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
        title=f"Shapley values, {_TITLES[protocol]}",
        note=f"n = {int(chosen['n'].max())} conditions, 95 % bootstrap intervals over conditions",
    )
    caption = "What a region adds to the score; bars of errors point down where they help."
    return [Picture(figure, caption)]


def _segments(results: Results, protocol: str) -> list[Picture]:
    means = results.read(protocol, "ablation/means.csv")
    if means is None:
        return []
    chosen = means[(means["family"] == "segment") & (means["trial"] == "trial_average")]
    pictures: list[Picture] = []
    for metric in ("cue_pixels", "colour_error", "direction_error"):
        rows = chosen[chosen["metric"] == metric]
        if not len(rows):
            continue
        place = rows["removed"].str.extract(r"^(?P<row>.*) in (?P<column>[^ ]+)$")
        cells = pd.concat([place, rows[["loss"]].rename(columns={"loss": "value"})], axis=1)
        unit = str(rows["unit"].iloc[0])
        name = metric.replace("_", " ")
        figure = figures.heatmap(
            cells,
            label=f"loss ({unit})",
            title=f"{name}: region masked in one segment only, {protocol}",
            note="averages over trials, mean over conditions",
        )
        pictures.append(Picture(figure, f"{name.capitalize()}, region by segment, {protocol}."))
    return pictures


def _panel(results: Results, protocols: Sequence[Protocol]) -> Section | None:
    """The last protocol that has all subsets: one panel is enough to mail."""
    for protocol in reversed(protocols):
        folder = results.out / protocol.name / "ablation"
        subsets = results.read(protocol.name, "ablation/subsets.csv")
        scores = results.read(protocol.name, "ablation/results.csv")
        films = results.out / protocol.name / "decoder" / "films.npz"
        if subsets is None or scores is None or not films.is_file():
            continue
        listed = subsets["regions"].fillna("").str.split("+")
        regions = protocol.recording.sites.regions
        regions = [r for r in regions if any(r in part for part in listed)]
        keep = np.array([[r in part for r in regions] for part in listed])
        with np.load(films, allow_pickle=False) as file:
            true, condition = file["true"], file["condition"]
        stimuli = protocol.data.stimuli
        fill = str(subsets["fill"].iloc[0])
        panel = RegionPanel(
            regions=regions,
            keep=keep,
            videos=_subset_videos([folder / f for f in subsets["file"]]),
            true=_frames_first(true),
            conditions=[stimuli.names[k] for k in condition],
            segments=stimuli.segments,
            frame_s=stimuli.frame_s,
            scores=_subset_scores(scores, subsets),
            caption=f"Averages over test trials; switched-off regions are filled with: {fill}.",
        )
        text = [
            f"Protocol {protocol.name}. Switch regions on and off and choose a condition: the "
            "decoder was trained on all regions and sees only those that are on."
        ]
        return Section("Switch regions on and off", text=text, panel=panel)
    return None


def _subset_videos(files: Sequence[Path]) -> Iterator[tuple[int, np.ndarray]]:
    for number, path in enumerate(files):
        with np.load(path, allow_pickle=False) as file:
            yield number, _frames_first(file["predicted"])


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


def _alone(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(results, "isolate", ["regions"], "Networks trained on one region alone.")
    text = [
        "One network per region, trained on its sites only. Chance is what the network makes of "
        "Gaussian noise inputs, as published."
    ]
    tables = [by_name["S8"], by_name["S9"]]
    return _section("Figure 4. One region alone", text, tables, pictures)


def _encoding(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures: list[Picture] = []
    for protocol in results.protocols:
        folder = results.out / protocol / "encoding" / "figures"
        for path in sorted(folder.glob("*.png")):
            name = path.stem.replace("_", " ")
            pictures.append(Picture(path, f"Encoding, {name}, {_TITLES[protocol]}."))
    text = ["The network turned round: the video goes in, the activity of every site comes out."]
    tables = [by_name["S10"], by_name["S11"]]
    return _section("Figure 5. Encoding", text, tables, pictures)


def _similarity(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures: list[Picture] = []
    for protocol in results.protocols:
        table = results.read(protocol, "similarity/results.csv")
        if table is not None:
            pictures.append(_drawn_similarity(table, protocol))
        for name in ("sites", "population", "bottleneck", "session"):
            pictures += _embeddings(results, protocol, name)
    text = ["Correlations between trials, and maps of sites, trials and the bottleneck."]
    tables = [by_name["S12"], by_name["S19"]]
    return _section("Figure 6. Similarity and latents", text, tables, pictures)


def _drawn_similarity(table: pd.DataFrame, protocol: str) -> Picture:
    figure = figures.similarity(ResultTable(table), title=f"Similarity, {_TITLES[protocol]}")
    return Picture(figure, "Mean Pearson r of pairs of trials; bars: lowest to highest condition.")


def _embeddings(results: Results, protocol: str, name: str) -> list[Picture]:
    found: list[Picture] = []
    scores = results.read(protocol, "latents/results.csv")
    for method in ("pca", "tsne"):
        points = results.read(protocol, f"latents/points_{name}_{method}.csv")
        if points is None:
            continue
        space = str(points["space"].iloc[0])
        explained = pd.Series(points["explained"]).iloc[0]
        labels = points.drop(columns=["x", "y", "space", "explained"]).astype(str)
        silhouettes, chance = _silhouettes(scores, space, method, [str(c) for c in labels.columns])
        figure = figures.embedding(
            points[["x", "y"]].to_numpy(),
            labels,
            method=method,
            explained=_pair(str(explained)),
            silhouettes=silhouettes,
            chance=chance,
            title=f"{space}, {protocol}",
        )
        found.append(Picture(figure, f"{method.upper()} of {space}, {_TITLES[protocol]}."))
    return found


def _silhouettes(
    scores: pd.DataFrame | None, space: str, method: str, labels: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    if scores is None:
        return {}, {}
    here = scores[(scores["run"] == space) & (scores["segment"] == method)]
    value = here.set_index("metric")["value"].to_dict()
    silhouettes = {n: float(value[f"silhouette_{n}"]) for n in labels if f"silhouette_{n}" in value}
    chance = {
        n: float(value[f"silhouette_{n}_chance"])
        for n in labels
        if f"silhouette_{n}_chance" in value
    }
    return silhouettes, chance


def _pair(text: str) -> tuple[float, float] | None:
    if not text.startswith("["):
        return None
    first, second = (float(v) for v in text.strip("[]").split(","))
    return first, second


def _baselines(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(results, "compare", ["models"], "Decoder, baselines, floors and ceiling.")
    pictures += _files(results, "crossval", ["folds"], "Folds.")
    tables = [by_name["S13"], by_name["S14"]]
    text = ["Trained under identical settings on identical trials."]
    return _section("Baselines and cross-validation", text, tables, pictures)


def _generalisation(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(
        results,
        "generalise",
        ["held_out", "learning_curves"],
        "What is decoded of conditions never trained on, and from less data.",
    )
    text = [
        "With a few videos shared by training and test, a decoder can score high by recognising "
        "the condition. A lookup decoder cannot return a video it was not trained on: what is "
        "decoded better than by lookup here was put together from its parts."
    ]
    return _section("Generalisation", text, [by_name["S17"], by_name["S18"]], pictures)


def _noise(by_name: dict[str, PaperTable]) -> Section:
    text = [
        "Every site is replaced by Poisson noise of its own mean rate; sessions, trials and "
        "conditions stay. Whatever is identified above chance is made by the protocol."
    ]
    return _section("Noise control", text, [by_name["S20"]])


def _methods(protocols: Sequence[Protocol], outcome: Outcome) -> Section:
    steps = pd.DataFrame(
        [{"step": k, "seconds": v, "": "done"} for k, v in outcome.done.items()]
        + [{"step": k, "seconds": np.nan, "": f"FAILED: {v}"} for k, v in outcome.failed.items()]
        + [
            {"step": k, "seconds": np.nan, "": f"not applicable: {v}"}
            for k, v in outcome.not_applicable.items()
        ]
    )
    data = [p.data for p in protocols]
    text = [f"{p.name}: {d.audit.line}." for p, d in zip(protocols, data, strict=True)]
    text += list(dict.fromkeys(note for d in data for note in d.notes))
    return Section("How it was done", text=text, tables={"Steps": steps})
