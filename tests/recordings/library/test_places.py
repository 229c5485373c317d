"""Regions of units from a table, from depth, from a property; none is guessed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mua_decode.recordings import UnitPlaces
from mua_decode.types import InputError

UNITS = pd.DataFrame({"id": ["1", "2", "10"], "y": [0.0, 50.0, 120.0], "area": ["V1", "V1", "MT"]})


def test_every_way_to_know(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,region\n10,MT\n1,V1\n2,V4\n")
    for places, expected in (
        (UnitPlaces(everywhere="IT", column="area"), ["IT"] * 3),
        (UnitPlaces(table=str(tmp_path / "t.csv")), ["V1", "V4", "MT"]),
        (UnitPlaces(depths=[["deep", 0, 100], ["top", 100, 200]]), ["deep", "deep", "top"]),
        (UnitPlaces(column="area"), ["V1", "V1", "MT"]),
    ):
        assert places.regions(UNITS, "here").tolist() == expected


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,region\n1,V1\n2,V4\n")
    (tmp_path / "u.csv").write_text("unit,region\n1,V1\n")
    for places, message in (
        (UnitPlaces(), r"set recording.places.everywhere, .* which may be: id, y, area"),
        (UnitPlaces(table=str(tmp_path / "t.csv")), r"no region of 1 of 3 units \(id 10\)"),
        (UnitPlaces(table=str(tmp_path / "u.csv")), "expected the column region and one of id, y"),
        (UnitPlaces(table=str(tmp_path / "v.csv")), "no such file"),
        (UnitPlaces(depths=[["V1", 0, 100]]), r"1 of 3 units lie in none .*\(y=120\)"),
        (UnitPlaces(depths=[["V1"]]), r"expected \[region, from, to\]"),
        (UnitPlaces(column="aera"), r"no column 'aera' \(did you mean 'area'"),
    ):
        with pytest.raises(InputError, match=message):
            places.regions(UNITS, "here")
