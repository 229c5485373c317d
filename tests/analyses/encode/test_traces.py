from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from mua_decode.analyses.encode.averages import Averages
from mua_decode.analyses.encode.bands import Band
from mua_decode.analyses.encode.trace_figure import spectra, traces
from mua_decode.analyses.encode.traces import power_spectra, typical_traces
from mua_decode.types import InputError

STEP = 0.02
TIME = np.arange(200) * STEP


def recorded(values: np.ndarray) -> Averages:
    """Two regions of two sites each, from (Q, T)."""
    q = len(values)
    mt = np.array([False, False, True, True])
    both = np.stack([values, values, 2 * values, 2 * values], axis=2)
    return Averages(
        split="test", values=both, conditions=[f"c{k}" for k in range(q)], groups=np.arange(q),
        regions={"V4": ~mt, "MT": mt}, sessions=np.repeat("a", 4),
    )  # fmt: skip


def test_conditions_are_chosen_by_their_correlation() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(5, 200))
    noise = np.array([3.0, 0.1, 1.0, 0.3, 9.0])[:, None] * rng.normal(size=(5, 200))
    averages = recorded(signal)
    predicted = np.stack([signal + noise, 0 * signal], axis=2)  # MT: no correlation is defined
    table = typical_traces(averages, predicted, bin_s=STEP, window_s=0.1)
    assert set(table["region"]) == {"V4"}
    chosen = table.drop_duplicates("rule").set_index("rule")
    assert chosen["condition"].to_dict() == {
        "lowest r": "c4", "median r": "c2", "highest r": "c1"
    }  # fmt: skip
    for rule, k in (("lowest r", 4), ("median r", 2), ("highest r", 1)):
        part = table[table["rule"] == rule]
        np.testing.assert_allclose(part["recorded"], signal[k])
        np.testing.assert_allclose(part["predicted"], (signal + noise)[k])
        assert part["r"].iloc[0] == pytest.approx(np.corrcoef(signal[k], (signal + noise)[k])[0, 1])
        np.testing.assert_allclose(part["time_s"], TIME + 0.05)
    figure = traces(table, title="three")
    assert "c4" in figure.axes[0].get_title()
    assert [line.get_label() for line in figure.axes[0].lines[:2]] == ["recorded", "predicted"]
    np.testing.assert_allclose(figure.axes[2].lines[1].get_ydata(), (signal + noise)[1])
    figure.savefig(BytesIO())
    with pytest.raises(InputError, match="no region"):
        traces(pd.DataFrame())


def test_power_stands_at_the_planted_frequency_and_goes_by_the_square() -> None:
    wave = np.sin(2 * np.pi * 5 * TIME)[None] + np.zeros((3, 1))
    averages = recorded(wave)
    predicted = np.stack([0.5 * wave, np.sin(2 * np.pi * 20 * TIME) + 0 * wave], axis=2)
    table = power_spectra(averages, predicted, bin_s=STEP)
    assert table["frequency_hz"].max() == 25
    peak = table.groupby("region").agg(
        {n: lambda v: table.loc[v.idxmax(), "frequency_hz"] for n in ("recorded", "predicted")}
    )
    assert peak.loc["V4"].tolist() == pytest.approx([5, 5])
    assert peak.loc["MT"].tolist() == pytest.approx([5, 20])
    v4 = table[table["region"] == "V4"]
    assert v4["predicted"].max() / v4["recorded"].max() == pytest.approx(0.25)
    # A sine of amplitude 1 has the power 1/2.
    width = v4["frequency_hz"].diff().median()
    assert v4["recorded"].sum() * width == pytest.approx(0.5, rel=0.02)
    figure = spectra(table, bands=(Band(2, 10), Band(10, None)), title="two")
    assert [ax.get_title() for ax in figure.axes if ax.get_visible()] == ["V4", "MT"]
    figure.savefig(BytesIO())
