"""Figures for papers: a vector file beside the PNG, its width, its letters; and live frames."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.figures import FigureStyle, current_style, styled
from mua_decode.types import InputError


def line() -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    ax = figure.subplots()
    ax.plot([0, 1])
    ax.set_xlabel("a label", fontsize=10)
    return figure


def test_a_vector_file_of_the_width_asked_for(tmp_path: Path) -> None:
    with styled(FigureStyle(format="svg", width_mm=90.0, font_size=7.0)):
        figures.save(line(), tmp_path / "a.png")
    text = (tmp_path / "a.svg").read_text()
    width, height = map(float, re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', text).groups())
    assert width == pytest.approx(90 / 25.4 * 72, abs=0.01)
    assert height == pytest.approx(width / 2, abs=0.01)
    assert re.search(r"<text[^>]*font[^>]*7px[^>]*>a label</text>", text)  # letters stay letters
    with styled(FigureStyle(format="pdf")):
        figures.save(line(), tmp_path / "b.png")
    assert (tmp_path / "b.pdf").read_bytes()[:5] == b"%PDF-"
    figures.save(line(), tmp_path / "c.png")  # outside, all is as ever
    assert {p.name for p in tmp_path.iterdir()} == {"a.png", "a.svg", "b.png", "b.pdf", "c.png"}


@pytest.mark.parametrize(
    "wrong", [{"format": "eps"}, {"width_mm": 0.0}, {"font": "No Such Font"}, {"font_size": -1.0}]
)
def test_wrong_options_are_named(wrong: dict) -> None:
    with pytest.raises(InputError, match=f"figures.{next(iter(wrong))}"):
        FigureStyle(**wrong)


def test_rounding_is_no_number() -> None:
    rows = [("a", "x", -1.78e-15), ("a", "y", 2.0), ("b", "x", 1e-5), ("b", "y", np.nan)]
    table = pd.DataFrame(rows, columns=["row", "column", "value"])
    drawn = figures.heatmap(table, label="loss")
    texts = [t.get_text() for t in drawn.axes[0].texts]
    assert texts == ["0", "2", "1e-05"]
    nothing = figures.heatmap(table.assign(value=-1.78e-15), label="loss")
    assert [t.get_text() for t in nothing.axes[0].texts] == ["0"] * 4
    assert nothing.axes[0].images[0].get_clim() == (-1.0, 1.0)


def test_live_frames_are_those_given() -> None:
    rng = np.random.default_rng(0)
    true, decoded = rng.integers(0, 256, (2, 3, 5, 1, 12, 12), dtype=np.uint8)
    strip = figures.live_strip(true, decoded, names=["a", "é", "c"], lines=["epoch 1"])
    cell = strip[2 * 18 : 2 * 18 + 48, 8 : 8 + 48, 0]  # below a line and a name
    assert np.array_equal(cell[::4, ::4], true[0, 0, 0])
    assert np.array_equal(strip[2 * 18 + 50 : 2 * 18 + 98 : 4, 8:56:4, 0], decoded[0, 0, 0])
    film = iio.imread(figures.live_film(true, decoded, frame_s=0.1), extension=".gif", index=None)
    assert film.shape[0] == 5
    assert np.abs(film[0, :48:4, :48:4, 0].astype(int) - true[0, 0, 0]).mean() < 12  # 256 colours


@pytest.mark.parametrize("style", [{"width_mm": 180.0}, {"width_mm": 180.0, "font_size": 7.0}])
def test_eighteen_names_and_long_axes_stay_apart_on_paper(style: dict) -> None:
    names = [f"VIS{k}" for k in range(18)]
    rows = [(n, m, float(k + j), "fraction of trials") for m in ("identification", "ssim")
            for k, n in enumerate(names) for j in range(3)]  # fmt: skip
    drawn = figures.boxes(pd.DataFrame(rows, columns=["row", "metric", "value", "unit"]))
    FigureStyle(**style).apply(drawn)
    drawn.draw_without_rendering()
    for ax in drawn.axes:
        places = [t.get_window_extent() for t in ax.get_xticklabels()]
        assert len(places) == 18
        assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(places))
        assert ax.yaxis.label.get_window_extent().height <= ax.get_window_extent().height
    upper, lower = (ax.get_window_extent() for ax in drawn.axes)
    assert upper.y0 > lower.y1  # one below the other: side by side they fit no page


@pytest.mark.parametrize("style", [{"font_size": 7.0}, {}])
def test_nothing_is_cut_at_the_width_of_a_column(style: dict) -> None:
    names = ["PFC", "FEF", "LIP", "MT", "IT", "V4"]
    metrics = ("identification", "ssim", "cue_pixels")
    rows = [(n, m, 0.1 * k, 0.1 * k - 0.1, 0.1 * k + 0.1, "fraction of trials")
            for m in metrics for k, n in enumerate(names)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["row", "metric", "value", "low", "high", "unit"])
    lines = pd.DataFrame({"metric": ["ssim"], "label": ["all of these regions minus none"],
                          "value": [0.5]})  # fmt: skip
    note = "n = 8 conditions, 95 % intervals over these conditions; single trial, longer still"
    videos = np.zeros((4, 5, 3, 16, 16), np.uint8)
    eight = [f"{c} {k}" for c in ("cross green", "circle red") for k in range(4)]
    four = [videos.transpose(0, 2, 1, 3, 4) / 255] * 2
    with styled(FigureStyle(width_mm=85.0, **style)):
        drawn = [
            figures.confusion(np.arange(8), np.arange(8), names=eight, title="Identified"),
            figures.intervals(table, lines=lines, title="A title that is long " * 4, note=note),
            figures.boxes(table, title="Loss when a region is masked, fill shuffle", note=note),
            figures.seen(
                {n: videos for n in names}, names=eight[:4], title="Decoded with a region masked",
                times_s=[0.1 * k for k in range(5)],
            ),
            figures.frames(*four, names=["cross green"] * 4, segments=[], frame_s=0.1, title="T"),
        ]  # fmt: skip
        for figure in drawn:
            current_style().apply(figure)
            figure.draw_without_rendering()
            whole, ink = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
            assert min(ink.x0, ink.y0) > -1  # a pixel
            assert max(ink.x1 - whole.width, ink.y1 - whole.height) < 1
            axes = [ax for ax in figure.axes if ax.get_label() != "<colorbar>" and ax.get_ylabel()]
            assert min(ax.get_window_extent().width for ax in axes) > 0.25 * whole.width
            labels = [ax.yaxis.label.get_text() for ax in figure.axes]
            assert not any("identifie\n" in text for text in labels)  # broken between words
    assert len(drawn[3].axes[-1].get_xticks()) == 5  # one condition where there is room for one


def test_rounding_has_no_axis_of_its_own() -> None:
    rows = [("a", "m", -1e-17, -2e-17, 1e-17, "1"), ("b", "m", 0.0, 0.0, 0.0, "1")]
    table = pd.DataFrame(rows, columns=["row", "metric", "value", "low", "high", "unit"])
    lines = pd.DataFrame({"metric": ["m"], "label": ["sum"], "value": [-1e-17]})
    for figure in (figures.intervals(table, lines=lines), figures.boxes(table)):
        assert figure.axes[0].get_ylim()[1] > 1e-3
