"""Tables of directions: undefined ones count as they do in every other table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.reconstruct.paper import counted_error, motion, motion_tests
from mua_decode.report.paper import Results

RENDERED = np.tile([90.0, 30.0, -30.0, -90.0], 16)


def results(folder: Path, angle: np.ndarray) -> Results:
    table = pd.DataFrame({"videos": "decoded, one trial", "direction_deg": RENDERED})
    path = folder / "rigorous" / "decoder" / "measures.csv"
    path.parent.mkdir(parents=True)
    table.assign(angle_deg=angle).to_csv(path, index=False)
    shared = {"published": {"motion": {"90": [89, 2]}}, "reasons": {}}
    return Results(folder, ["rigorous"], done=["rigorous/decoder"], **shared)


def test_undefined_directions_are_90_degrees_off_in_the_table_of_directions(tmp_path: Path) -> None:
    angle = RENDERED + 2.0
    angle[RENDERED == -90] = np.nan
    table = motion(results(tmp_path, angle)).frame
    assert table is not None
    rows = table.set_index("rendered_deg")
    assert rows.loc[90, ["error_deg", "n", "n_undefined"]].tolist() == [2, 16, 0]
    assert rows.loc[-90, ["error_deg", "n", "n_undefined"]].tolist() == [90, 0, 16]
    assert np.isnan(rows.loc[-90, "measured_deg"])
    assert rows.loc[90, "published"] == 89
    off = counted_error(pd.DataFrame({"angle_deg": angle, "direction_deg": RENDERED}))
    assert off[RENDERED == -90].sum() == 0  # as many to one side as to the other
    assert np.abs(off[RENDERED == -90]).tolist() == [90] * 16


def test_directions_left_undefined_are_not_left_out_of_the_tests(
    tmp_path: Path,
) -> None:
    """It always says 90, and nothing at all where something else was rendered."""
    angle = np.where(RENDERED == 90, 90.0, np.nan)
    noise = results(tmp_path / "a", angle)
    found = motion_tests(noise).frame
    assert found is not None
    assert (found["n"] == 64).all()
    assert found["effect"].tolist() == pytest.approx([0.25, 0.25], abs=1e-6)
    assert found["note"].str.contains("48 undefined directions count as 90 degrees off").all()
    right = motion_tests(results(tmp_path / "b", RENDERED + 1.0)).frame
    assert right is not None
    assert (right["p_corrected"] < 0.001).all()
    guessed = np.random.default_rng(0).uniform(-180, 180, 64)
    chance = motion_tests(results(tmp_path / "c", guessed)).frame
    assert chance is not None
    assert (chance["p_corrected"] > 0.05).all()
