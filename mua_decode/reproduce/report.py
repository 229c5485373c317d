"""The report: sections after the paper's figures, both protocols side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode import __version__
from mua_decode.analyses.ablate import paper as ablate
from mua_decode.analyses.encode import paper as encode
from mua_decode.analyses.generalise import paper as generalise
from mua_decode.analyses.isolate import paper as isolate
from mua_decode.analyses.latents.paper import METHODS, embeddings
from mua_decode.analyses.noise import paper as noise
from mua_decode.analyses.reconstruct import paper as reconstruct
from mua_decode.analyses.sampling import paper as sampling
from mua_decode.analyses.similarity.paper import drawn_similarity
from mua_decode.report import Picture, Section, write_page
from mua_decode.report.paper import PaperTable, Results, Tables, paper_section
from mua_decode.reproduce.headlines import headlines
from mua_decode.reproduce.pinned import Deviation, between_protocols
from mua_decode.reproduce.protocol import Protocol
from mua_decode.reproduce.step import Outcome
from mua_decode.runs.drawn import write_pictures
from mua_decode.runs.folder import RunFolder


def write_report(
    out: Path,
    results: Results,
    tables: Sequence[PaperTable],
    protocols: Sequence[Protocol],
    outcome: Outcome,
    deviations: Mapping[str, Deviation],
) -> Path:
    """Write ``report.html`` from the files of the steps."""
    numbered = {t.number: t for t in tables}
    recording = protocols[0].recording
    stimuli = {p.name: p.source.data.stimuli for p in protocols}
    sections = [
        _marked(results, "decoder", reconstruct.section(results, numbered, stimuli)),
        _marked(results, "ablation", ablate.section(results, numbered)),
        _marked(results, "ablation", ablate.panel(results, stimuli, recording.sites.regions)),
        _marked(results, "isolate", isolate.section(results, numbered)),
        _marked(results, "encoding", encode.section(results, numbered)),
        _marked(results, "latents", _similarity(results, numbered)),
        _marked(results, "compare", _baselines(results, numbered)),
        _marked(results, "sampling", sampling.section(results, numbered)),
        _marked(results, "generalise", generalise.section(results, numbered)),
        _marked(results, "noise", noise.section(numbered)),
        _methods(protocols, outcome, deviations),
    ]
    return write_page(
        out / "report.html",
        [s for s in sections if s is not None],
        title=f"Video decoded from multi-unit activity: {recording.name}{_short(deviations)}",
        headlines=headlines(results, protocols),
        footer=(
            f"mua_decode {__version__}, seed {protocols[0].source.seed}; every number: results.csv "
            "and tables/ beside this file"
        ),
    )


def _short(deviations: Mapping[str, Deviation]) -> str:
    """What the title of a report says that is not of the published size."""
    note = next((d.short for d in deviations.values() if d.short), "")
    return f" ({note})" if note else ""


def _marked(results: Results, step: str, section: Section | None) -> Section | None:
    """Say in the heading and under every picture what the networks of a section differ in."""
    note = results.note(step)
    if section is None or not note:
        return section
    word = note.partition(":")[0].rpartition(" ")[2]
    pictures = [replace(p, caption=f"{p.caption} [{word}]") for p in section.pictures]
    title = f"{section.title} ({word})"
    return replace(section, title=title, pictures=pictures)


def _similarity(results: Results, tables: Tables) -> Section:
    pictures: list[Picture] = []
    for protocol in results.protocols:
        table = results.read(protocol, "similarity/results.csv")
        pairs = results.read(protocol, "similarity/distributions.csv")
        if table is not None and pairs is not None:
            made = partial(drawn_similarity, table, pairs, protocol)
            folder = RunFolder(results.out / protocol / "similarity")
            pictures += write_pictures("similarity", made, folder)
    mapped = [p for p in results.protocols if results.read(p, "latents/results.csv") is not None]
    for name in ("sites", "population", "bottleneck", "session") if mapped else ():
        folder = RunFolder(results.out / mapped[-1] / "latents")
        for method in METHODS:
            made = partial(embeddings, results, mapped[-1], name, method)
            pictures += write_pictures(f"{name}_{method}", made, folder)
    text = [
        "Correlations between trials, and maps of sites, trials and the bottleneck. Maps are drawn "
        "for one protocol, tables are for both."
    ]
    shown = [tables["S12"], tables["S34"], tables["S19"]]
    return paper_section("Figure 6. Similarity and latents", text, shown, pictures)


def _baselines(results: Results, tables: Tables) -> Section:
    caption = "Decoder, baselines, floors and ceiling."
    pictures = results.pictures("compare", "models", caption)
    caption = "Pixel correlation of each colour channel."
    pictures += results.pictures("compare", "channels", caption)
    pictures += results.pictures("crossval", "folds", "Folds.")
    pictures += results.pictures("repeat", "seeds", "Seeds.")
    shown = [tables["S13"], tables["S32"], tables["S14"], tables["S22"], tables["S36"]]
    text = [
        "Trained under identical settings on identical trials. Folds share training trials: their "
        "s.d. is a spread, not a standard error. Other seeds draw the split, the pseudo-trials and "
        "the weights anew; the interval over seeds alone speaks for these recorded trials, that "
        "over seeds and conditions for other trials too. Undefined directions count as 90 degrees "
        "off."
    ]
    return paper_section("Baselines, cross-validation and seeds", text, shown, pictures)


def _methods(
    protocols: Sequence[Protocol], outcome: Outcome, deviations: Mapping[str, Deviation]
) -> Section:
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
    text.append(
        f"The rigorous protocol differs from the published one in {between_protocols()}, and in "
        "what masked sites show; network, loss, optimiser and schedule are the same."
    )
    trained = pd.DataFrame(
        [{"step": k, "training": d.full or "as published"} for k, d in deviations.items()]
    )
    tables = {"Steps": steps, "What the networks differ in from the published size": trained}
    return Section("How it was done", text=text, tables=tables)
