"""The report: sections after the paper's figures, both protocols side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode import __version__
from mua_decode.analyses.ablate import paper as ablate
from mua_decode.analyses.latents.paper import embeddings
from mua_decode.analyses.reconstruct.paper import films
from mua_decode.analyses.similarity.paper import drawn_similarity
from mua_decode.report import Films, NotApplicable, Picture, Section, write_page
from mua_decode.report.paper import TITLES, PaperTable, Results
from mua_decode.reproduce.headlines import headlines
from mua_decode.reproduce.protocol import Protocol
from mua_decode.reproduce.step import Outcome
from mua_decode.types import StimulusSet


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
    stimuli = {p.name: p.source.data.stimuli for p in protocols}
    sections = [
        _reconstruction(results, by_name, stimuli),
        _masking(results, by_name),
        ablate.panel(results, stimuli, recording.sites.regions),
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
            f"mua_decode {__version__}, seed {protocols[0].source.seed}; every number: results.csv "
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
            if path.is_file() and results.has(protocol, step.split("/")[0]):
                found.append(Picture(path, f"{caption} {TITLES[protocol].capitalize()}."))
    return found


def _reconstruction(
    results: Results, by_name: dict[str, PaperTable], stimuli: Mapping[str, StimulusSet]
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
    tables = [by_name[n] for n in ("S1", "S2", "S3", "S21")]
    title = "Figure 2. Reconstruction: shape, colour, motion"
    return _section(title, text, tables, pictures, films(results, stimuli))


def _masking(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures: list[Picture] = []
    for protocol in results.protocols:
        losses = results.read(protocol, "ablation/losses.csv")
        tests = results.read(protocol, "ablation/tests.csv")
        if losses is not None and tests is not None:
            pictures += ablate.boxes(protocol, losses, tests)
        pictures += ablate.shapley_picture(results, protocol)
        pictures += ablate.segments(results, protocol)
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
    tables = [by_name[n] for n in ("S4", "S5", "S6", "S7", "S15", "S16")]
    return _section("Figure 3. What each region contributes: masking", text, tables, pictures)


def _alone(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(results, "isolate", ["regions"], "Networks trained on one region alone.")
    text = [
        "One network per region, trained on its sites only. Gaussian noise inputs, as published, "
        "ask whether the input is used at all: onsets are enough to pass. Permuted conditions ask "
        "whether what is decoded fits the condition; where recorded trials feed both training and "
        "test, as published, sites that know nothing may pass that too. Undefined directions "
        "count as 90 degrees off."
    ]
    tables = [by_name["S8"], by_name["S9"]]
    return _section("Figure 4. One region alone", text, tables, pictures)


def _encoding(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(results, "encoding", ["encoding"], "Predicted and recorded activity.")
    text = [
        "The network turned round: the video goes in, the activity of every site comes out. A band "
        "of frequencies is measured where it lies below the Nyquist frequency of the sliding step; "
        "the others say so."
    ]
    tables = [by_name["S10"], by_name["S11"]]
    return _section("Figure 5. Encoding", text, tables, pictures)


def _similarity(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures: list[Picture] = []
    for protocol in results.protocols:
        table = results.read(protocol, "similarity/results.csv")
        if table is not None:
            pictures.append(drawn_similarity(table, protocol))
    mapped = [p for p in results.protocols if results.read(p, "latents/results.csv") is not None]
    for name in ("sites", "population", "bottleneck", "session") if mapped else ():
        pictures += embeddings(results, mapped[-1], name)
    text = [
        "Correlations between trials, and maps of sites, trials and the bottleneck. Maps are drawn "
        "for one protocol, tables are for both."
    ]
    tables = [by_name["S12"], by_name["S19"]]
    return _section("Figure 6. Similarity and latents", text, tables, pictures)


def _baselines(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(results, "compare", ["models"], "Decoder, baselines, floors and ceiling.")
    pictures += _files(results, "crossval", ["folds"], "Folds.")
    pictures += _files(results, "repeat", ["seeds"], "Seeds.")
    tables = [by_name["S13"], by_name["S14"], by_name["S22"]]
    text = [
        "Trained under identical settings on identical trials. Folds share training trials: their "
        "s.d. is a spread, not a standard error. Other seeds draw the split, the pseudo-trials and "
        "the weights anew; fewer than ten make the bootstrap too narrow in their share; the t "
        "interval over seeds is right for few if their means are about normal. Undefined "
        "directions count as 90 degrees off."
    ]
    return _section("Baselines, cross-validation and seeds", text, tables, pictures)


def _generalisation(results: Results, by_name: dict[str, PaperTable]) -> Section:
    pictures = _files(
        results, "generalise", ["held_out"], "What is decoded of conditions never trained on."
    )
    pictures += _files(results, "generalise", ["learning_curves"], "Decoding from less data.")
    text = [
        "With a few videos shared by training and test, a decoder can score high by recognising "
        "the condition. In a single trial a lookup decoder cannot return a video it was not "
        "trained on; an average of its wrong videos may come near one. Look at identification of "
        "held-out conditions and of their cue, colour and direction beside the floors: SSIM and "
        "squared error favour a blurred mean over a sharp wrong video. The decoder trained with "
        "them is scored on its own test trials, fewer than those of the held-out conditions. One "
        "network per set; no interval over networks."
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
    data = [p.source.data for p in protocols]
    text = [f"{p.name}: {d.audit.line}." for p, d in zip(protocols, data, strict=True)]
    text += list(dict.fromkeys(note for d in data for note in d.notes))
    return Section("How it was done", text=text, tables={"Steps": steps})
