"""Numbers before pictures: a figure that cannot be drawn costs one line, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from mua_decode.figures import FigureStyle, styled
from mua_decode.report import Picture
from mua_decode.runs.drawn import write_animation, write_figure, write_pictures
from mua_decode.runs.findings import Findings
from mua_decode.runs.folder import RunFolder
from mua_decode.types import COLUMNS, ResultTable


def line() -> Figure:
    figure = Figure()
    figure.subplots().plot([0, 1])
    return figure


def broken() -> Figure:
    raise RuntimeError("no room\nfor panels")


def findings(folder: Path, seen: list[bool]) -> Findings:
    def late() -> Figure:
        seen.extend((folder / f).is_file() for f in ("metrics.json", "results.csv", "more.csv"))
        return line()

    row = dict.fromkeys(COLUMNS, "x") | {"value": 1.0, "n": 2}
    return Findings(
        results=ResultTable.from_rows([row]),
        metrics={"a": 1},
        tables={"more": pd.DataFrame({"b": [1]})},
        figures={"bad": broken, "late": late, "none": lambda: None, "made": line()},
        captions={"bad": "Bad.", "late": "Late."},
        animations={"film": lambda path: path.write_bytes(b"GIF"), "lost": lambda _: 1 / 0},
    )


def test_numbers_come_first_and_a_figure_that_fails_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "figures"
    place.mkdir()
    (place / "bad.png").write_bytes(b"of other numbers")
    seen: list[bool] = []
    assert findings(tmp_path, seen).write(tmp_path) == {"a": 1}
    assert seen == [True] * 3
    said = capsys.readouterr().err.splitlines()
    assert [x for x in said if "bad" in x] == [
        "WARNING: figure 'bad' could not be drawn (RuntimeError: no room for panels); numbers are "
        "not affected"
    ]
    assert len(said) == 2  # a line each, whatever the error says
    assert "'lost'" in said[1]
    names = {p.name for p in place.iterdir()}
    assert names == {"late.png", "made.png", "film.gif", "captions.json"}
    assert json.loads((place / "captions.json").read_text()) == {"late": "Late."}


def test_nothing_is_drawn_where_figures_are_not_wanted(tmp_path: Path) -> None:
    seen: list[bool] = []
    with styled(FigureStyle(draw=False)):
        findings(tmp_path, seen).write(tmp_path)
    assert seen == []
    assert not (tmp_path / "figures").exists()


def test_a_figure_whose_layout_fails_as_it_is_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = Figure(figsize=(0.01, 0.01), layout="constrained")
    figure.subplots().set_title("far too long for that " * 9)
    figure.savefig = broken  # type: ignore[assignment]  # takes arguments: TypeError
    assert write_figure("small", figure, RunFolder(tmp_path)) is None
    assert "figure 'small' could not be drawn" in capsys.readouterr().err
    assert list((tmp_path / "figures").iterdir()) == []


def test_pictures_of_a_report_are_files_in_the_style_asked_for(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with styled(FigureStyle(format="pdf", width_mm=85.0)):
        found = write_pictures(
            "map", lambda: [Picture(line(), "A."), Picture(line(), "B.")], folder
        )
    assert [(p.image.name, p.caption) for p in found] == [("map.png", "A."), ("map_2.png", "B.")]
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        "map.png", "map.pdf", "map_2.png", "map_2.pdf"
    }  # fmt: skip
    assert write_pictures("bad", broken, folder) == []
    write_animation("lost", lambda _: 1 / 0, folder)
