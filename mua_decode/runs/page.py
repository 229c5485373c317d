"""The page of a run's folder, made of the files in it alone, whichever command made them."""

from __future__ import annotations

import contextlib
import json
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mua_decode import figures
from mua_decode.files import write_text
from mua_decode.report import Headline, Picture, Section, write_page
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.stored import without_command_line
from mua_decode.runs.stored_files import (
    cut,
    stored_config,
    stored_films,
    stored_json,
    stored_table,
)
from mua_decode.runs.tests_headline import tests_headline
from mua_decode.runs.train_line import train_line
from mua_decode.runs.typed import typed_line
from mua_decode.scoring.chance import known_number
from mua_decode.scoring.standing import Standing
from mua_decode.types import COLUMNS, InputError, whole

PAGE = "report.html"
_CAPTIONS_FILE = "captions.json"
_CAPTIONS = {
    "frames_single_trial": "True frames above decoded ones, one test trial of a condition each; "
    "below, the width of the 90 % interval of every pixel.",
    "frames_trial_average": "True frames above decoded ones, averaged over the test trials.",
    "scores": "The decoder beside its floors and its ceiling. Numbers: results.csv.",
    "confusion": "Conditions identified from single decoded trials.",
    "reliability": "Pixels inside calibrated intervals, and the accuracy of the surest trials. "
    "Numbers: coverage.csv, confidence.csv.",
    "loss": "Losses by epoch. Numbers: epochs.csv.",
}
_ORDER = (
    "frames_single_trial",
    "scores",
    "confusion",
    "reliability",
    "loss",
    "frames_trial_average",
)
_MOST_PICTURES, _LARGEST_PICTURE = 40, 1 << 24
_TITLE = 80  # characters of a recording's name
_ROWS = 40  # of a table of a file; the file holds the rest
_NOT_SHOWN = ("results", "epochs", "watch")
_READ_ELSEWHERE = "films.npz"


def keep_captions(folder: RunFolder, captions: Mapping[str, str]) -> None:
    """Write what the figures of a folder show, beside them."""
    if captions:
        write_text(folder.figure(_CAPTIONS_FILE), json.dumps(dict(captions), indent=2) + "\n")


def write_run_page(
    folder: Path, source: Path | None = None, *, said: Sequence[Headline] = ()
) -> Path:
    """Write ``report.html`` of a folder that a command left.

    Films, scores beside floors, figures, tables, what was read, and the line that repeats it; of
    all these, what the folder holds. First stands what the analysis found, where it is one, and
    what forbids conclusions: stand-in videos, a decoder not above chance, or below a floor.

    Parameters
    ----------
    source
        Folder of the run that was asked, where it is another.
    said
        What else stands on the first screen.

    Raises InputError if the page cannot be written.
    """
    here = RunFolder(folder)
    run = RunFolder(source) if source is not None else here
    flat = stored_json(here.metrics)
    own = Standing.read(here.metrics)
    name = stored_json(run.recording).get("name", "")
    parts = [_result(here, run), _figures(here), _tables(here), _read(run, flat), _again(here)]
    line = typed_line(folder).split()
    title = f"{' '.join(line[:2]) or 'mua-decode'}: {folder.resolve().name}"
    first = _of_run(own, flat) if own is not None else _of_analysis(here, run, flat)
    return write_page(
        folder / PAGE,
        [part for part in parts if part is not None],
        title=f"{title}, {_line(str(name))}"[:300] if name else title[:300],
        headlines=[*first, *_beware(flat), *said],
        footer=f"mua_decode {flat.get('version', '')}, seed {flat.get('seed', 'unknown')}; every "
        "number: metrics.json and the CSV files beside this page",
    )


def standing_warnings(standing: Standing | None) -> list[Headline]:
    """What stands first on every page of a decoder from which nothing is to be concluded."""
    if standing is None:
        return []
    return [Headline(text, "warning", value) for value, text in standing.warnings.items()]


def _line(text: str) -> str:
    """A description in a line, cut at a word: some recordings are named by a paragraph."""
    return textwrap.shorten(text, _TITLE, placeholder=" …")


def _of_run(standing: Standing, flat: Mapping[str, Any]) -> list[Headline]:
    """Warnings, and the scores; good only where a test tells them from chance."""
    lines = standing_warnings(standing)
    scores = [c.said for c in standing.compared]
    chance = standing.chance
    if chance is not None and (chance.above or standing.stand_in):
        scores.append(chance.said)
    elif chance is None and (guess := known_number(flat.get("chance/identification"))) is not None:
        scores.append(f"chance {guess:.3f}, untested: what is independent is not known")
    beside = ", beside the strongest floor" if standing.compared else ""
    text = f"Single trials, {standing.part} part{beside}: {'; '.join(scores)}."
    first = standing.compared[0] if standing.compared else chance
    value = "" if first is None else f"{first.value:.3f}"
    return [*lines, Headline(text, "good" if standing.good else "neutral", value)]


def _of_analysis(here: RunFolder, run: RunFolder, flat: Mapping[str, Any]) -> list[Headline]:
    """What an analysis found by its own tests, then what is to be known of the decoder asked."""
    warned = standing_warnings(Standing.read(run.metrics)) if run.path != here.path else []
    said = flat.get("withheld", flat.get("below_floors"))
    if isinstance(said, str):
        # The analysis itself was told: what its tests say of regions is not repeated.
        return warned or [Headline(said[:1000], "warning", "conclusions withheld")]
    found = tests_headline(stored_table(here.path / "tests.csv"))
    asked = [replace(h, text=f"Of the decoder that was asked: {h.text}") for h in warned]
    return [*([found] if found is not None else []), *asked]


def _beware(flat: Mapping[str, Any]) -> list[Headline]:
    lines = []
    if flat.get("leaking") not in (False, None):
        lines.append(
            Headline(
                "Recorded trials of the test part can reach training: scores are inflated."
                if flat["leaking"] is True
                else "Whether recorded trials of the test part reach training is unknown.",
                "warning",
                "leaking" if flat["leaking"] is True else "leaks unknown",
            )
        )
    failed = flat.get("failed")
    if isinstance(failed, Mapping) and failed:
        names = ", ".join(map(str, failed))[:300]
        lines.append(
            Headline(f"Could not be trained: {names}.", "warning", f"{len(failed)} failed")
        )
    return lines


def _result(here: RunFolder, run: RunFolder) -> Section | None:
    films = stored_films(here, run)
    if films is not None and not here.films.is_file():
        films = replace(films, title="The decoder that was asked")
    found = stored_table(here.results)
    tables = {} if found is None else _scores(found)
    if films is None and not tables:
        return None
    text = ["Single trials first, then averages over the trials of a condition."] if tables else []
    if films is None:
        text.append(
            f"No film: the folder holds no {_READ_ELSEWHERE}; mua-decode report run_dir=FOLDER "
            "decodes it again where the recording is at hand."
        )
    return Section("Scores beside floors", text, tables, films=[films] if films else [])


def _scores(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One row per competitor and mask, one column per metric, whole videos of all conditions."""
    if any(c not in table for c in COLUMNS):
        return {}
    found: dict[str, pd.DataFrame] = {}
    everything = table[table["condition"] == "all"]
    for trial, title in (("single_trial", "Single trials"), ("trial_average", "Trial averages")):
        rows = whole(everything[everything["trial"] == trial])
        index = [c for c in ("run", "mask", "split") if c == "run" or len(rows[c].unique()) > 1]
        if not len(rows):
            continue
        wide = rows.pivot_table(
            index=index, columns="metric", values="value", aggfunc="first", sort=False,
            dropna=False, observed=True,
        )  # fmt: skip
        wide = wide.dropna(how="all").reset_index()
        wide.columns.name = None
        cuts = f" (first {_ROWS} of {len(wide)} rows)" if len(wide) > _ROWS else ""
        found[f"{title}, means over conditions; results.csv{cuts}"] = cut(wide.head(_ROWS))
    return found


def _figures(here: RunFolder) -> Section | None:
    place = here.path / "figures"
    said = _CAPTIONS | {k: str(v)[:2000] for k, v in stored_json(place / _CAPTIONS_FILE).items()}
    stems = {p.stem: p for p in sorted(place.glob("*.png")) if _small(p)}
    first = [n for n in (*_ORDER, *said) if n in stems]
    order = list(dict.fromkeys([*first, *stems]))
    pictures = [
        Picture(stems[n], said.get(n) or n.replace("_", " ").capitalize() + ".")
        for n in order[:_MOST_PICTURES]
    ]
    if "loss" not in stems and (log := stored_table(here.log)) is not None and "epoch" in log:
        with contextlib.suppress(InputError):
            pictures.append(Picture(figures.loss_curves(here.log), _CAPTIONS["loss"]))
    return Section("Figures", pictures=pictures) if pictures else None


def _small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= _LARGEST_PICTURE


def _tables(here: RunFolder) -> Section | None:
    tables: dict[str, pd.DataFrame] = {}
    for path in sorted(here.path.glob("*.csv"), key=lambda p: (p.stem != "tests", p.name)):
        table = stored_table(path) if path.stem not in _NOT_SHOWN else None
        if table is not None:
            cuts = f", first {_ROWS} of {len(table)} rows" if len(table) > _ROWS else ""
            tables[f"{path.stem.replace('_', ' ').capitalize()}: {path.name}{cuts}"] = cut(
                table.head(_ROWS)
            )
    return Section("Tables", tables=tables) if tables else None


def _read(run: RunFolder, flat: Mapping[str, Any]) -> Section:
    """Sites, trials and notes of the recording, and what the scores are of."""
    about, population = stored_json(run.recording), stored_json(run.population)
    tables: dict[str, pd.DataFrame] = {}
    regions = population.get("sites")
    regions = regions.get("region") if isinstance(regions, Mapping) else None
    if isinstance(regions, list) and regions:
        counts = pd.Series([str(r) for r in regions]).value_counts(sort=False)
        tables["Sites that are decoded, by region; population.json"] = cut(
            counts.rename_axis("region").reset_index(name="sites")
        )
    trials, sites = about.get("trials"), about.get("sites")
    if isinstance(trials, Mapping) and isinstance(sites, Mapping):
        rows = [{"session": str(k), "trials": v, "sites": sites.get(k)} for k, v in trials.items()]
        tables["Sessions that were read; recording.json"] = cut(pd.DataFrame(rows).astype(str))
    names = ("n_sites", "n_conditions", "test/n_pseudo_trials", "test/n_recorded_trials")
    sizes = [f"{n.rpartition('n_')[2].replace('_', ' ')} {flat[n]}" for n in names if n in flat]
    name, checksum = str(about.get("name")), str(about.get("checksum"))
    text = [f"Recording {name}, checksum {checksum[:12]}."] if about else []
    text += [", ".join(sizes) + "."] if sizes else []
    text += [str(flat[k])[:1000] for k in ("audit", "weights") if k in flat]
    notes = about.get("notes")
    text += [f"Note: {str(n)[:500]}" for n in notes[:50]] if isinstance(notes, list) else []
    return Section("What was read", [t[:2000] for t in text], tables)


def _again(here: RunFolder) -> Section:
    """The line that repeats it: as it was typed, or made of the config that a run keeps."""
    line, text = typed_line(here.path), []
    if line:
        text.append("As it was typed. Read a line that comes from elsewhere before you run it.")
    elif config := stored_config(here):
        try:
            plain, _ = without_command_line(OmegaConf.create(config))
            line = shlex.join(["mua-decode", "train", *train_line(plain)])
            text.append("Made of config.yaml: how it was typed is not known.")
        except (InputError, KeyError, OmegaConfBaseException):
            text.append("config.yaml is none of mua-decode train, or that of another version.")
    else:
        text.append("How it was typed is not known.")
    if here.config.is_file():
        text.append("Every option: config.yaml beside this page.")
    return Section("To repeat it", text, line=line[:20_000])
