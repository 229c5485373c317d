"""The page holds everything it shows, and shows it as it was given."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mua_decode.report import (
    Films,
    Headline,
    NotApplicable,
    Picture,
    RegionPanel,
    Section,
    Statistics,
    write_page,
)
from mua_decode.types import InputError, Segment

SEGMENTS = (Segment("cue", 0, 2), Segment("stimulus", 2, 4))


def _line() -> Figure:
    figure = Figure()
    figure.subplots().plot([0, 1])
    return figure


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _panel(**changed) -> RegionPanel:
    given = {
        "regions": ["V4", "MT"],
        "keep": np.array([[True, True], [True, False]]),
        "videos": list(enumerate(_noise(2, 3, 4, 3, 5, 6))),
        "true": _noise(3, 4, 3, 5, 6),
        "conditions": ["a", "b", "c"],
        "segments": SEGMENTS,
        "frame_s": 0.1,
    }
    return RegionPanel(**(given | changed))


def test_page_is_whole_escaped_and_self_contained(tmp_path):
    table = pd.DataFrame({"a_b": [0.123456, float("nan")], "text": ["<x>", "y"]})
    long = pd.DataFrame({"n": range(1100)})
    said = Statistics("64 conditions", "t-test <1>", "Holm")
    sections = [
        Section(
            "One & two",
            ["a < b"],
            {"T": table, "Long": long},
            [Picture(_line(), "cap <1>", said)],
            not_applicable=[NotApplicable("Colour", "grey frames")],
        ),
        Section("Three", headlines=[Headline("Beware <b>", "warning", "0.6")]),
    ]
    path = write_page(tmp_path / "r.html", sections, title="T")
    text = path.read_text()
    assert len(re.findall("data:image/(?:png|svg.xml);base64,", text)) == 1
    assert not re.search(r"https?:|(?:src|href)=\"(?!data:|#)", text)
    assert "a &lt; b" in text
    assert "&lt;x&gt;" in text
    assert "Beware &lt;b&gt;" in text
    assert text.count("t-test &lt;1&gt;") == 1
    assert "0.1235" in text
    assert "unknown" in text  # an undefined number
    assert "first 1000 of 1100 rows" in text
    assert "not applicable to this recording: grey frames" in text
    assert "default-src 'none'" in text
    assert list(tmp_path.iterdir()) == [path]


def test_hostile_names_stay_text_in_markup_and_data(tmp_path):
    evil = "</script><script>window.hacked=1</script>"
    scores = pd.DataFrame({"subset": [0], "metric": [evil], "value": [1.0]})
    given = {"regions": [evil, "MT"], "conditions": ["a", "b", f'"{evil}'], "scores": scores}
    panel = _panel(**given, segments=(Segment(evil, 0, 4),), title=evil, caption=evil)
    films = Films({evil: _noise(3, 4, 1, 5, 6)}, [evil] * 3, SEGMENTS, 0.1)
    table = {evil: pd.DataFrame({evil: [evil]})}
    picture = Picture(_line(), evil, Statistics(evil))
    section = Section(evil, [evil], table, [picture], panel=panel, films=[films])
    path = write_page(tmp_path / "r.html", [section], title=evil, footer=evil)
    text = path.read_text()
    assert "<script>window" not in text
    assert "&lt;script&gt;window" in text
    block = re.search(r'id="section-0-panel-config">(.*?)</script>', text)
    config = json.loads(block[1])
    assert config["segments"] == [[evil, 0, 4]]
    assert config["scores"][0]["metric"] == evil


def test_same_input_gives_the_same_page(tmp_path):
    section = Section("S", pictures=[Picture(_line(), "c")], panel=_panel())
    first, second = (write_page(tmp_path / n, [section], title="T") for n in ("a.html", "b.html"))
    assert first.read_bytes() == second.read_bytes()


def test_a_page_that_fails_leaves_the_old_one(tmp_path):
    path = write_page(tmp_path / "r.html", [Section("old")], title="T")

    def broken():
        yield 0, _noise(3, 4, 3, 5, 6)
        yield 0, _noise(3, 4, 3, 5, 6)

    with pytest.raises(InputError, match="comes twice"):
        write_page(path, [Section("new", panel=_panel(videos=broken()))], title="T")
    assert "old" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="cannot be written"):
        write_page(tmp_path / "nowhere" / "r.html", [], title="T")


def test_scores_and_subsets_are_named_as_the_buttons_ask(tmp_path):
    scores = pd.DataFrame(
        {"subset": [0, 1], "metric": "colour_error", "value": [1.23456, np.nan], "unit": "RGB"}
    )
    path = write_page(tmp_path / "r.html", [Section("S", panel=_panel(scores=scores))], title="T")
    block = re.search(r'id="section-0-panel-config">(.*?)</script>', path.read_text())
    config = json.loads(block[1])
    assert config["subsets"] == {"11": 0, "10": 1}
    assert config["scores"] == [
        {"metric": "colour error (RGB)", "values": {"0": "1.235", "1": "unknown"}}
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keep": np.ones((2, 3), bool)}, r"keep must be bool \(M, 2\)"),
        ({"keep": np.ones((2, 2), bool)}, "none twice"),
        ({"true": _noise(2, 4, 3, 5, 6)}, r"\(3, T, C, H, W\)"),
        ({"frame_s": 0.0}, "must be > 0"),
        ({"segments": SEGMENTS[::-1]}, "follow one another"),
        ({"scores": pd.DataFrame({"subset": [0]})}, "lack metric, value"),
    ],
)
def test_panel_refuses_what_does_not_fit(changed, message):
    with pytest.raises(InputError, match=message):
        _panel(**changed)


def test_rows_and_subsets_of_other_lengths_are_refused(tmp_path):
    rows = {"true": _noise(3, 4, 1, 5, 6), "decoded": _noise(3, 5, 1, 5, 6)}
    with pytest.raises(InputError, match="'decoded' has 5 frames, others have 4"):
        Films(rows, ["a", "b", "c"], SEGMENTS, 0.1)
    with pytest.raises(InputError, match="no subset 2, there are 2"):
        next(_panel(videos=[(2, _noise(3, 4, 3, 5, 6))]).subsets())
    with pytest.raises(InputError, match="subset 0 has 5 frames"):
        next(_panel(videos=enumerate(_noise(2, 3, 5, 3, 5, 6))).subsets())
    with pytest.raises(InputError, match="good, warning, neutral"):
        Headline("x", "bad")
    with pytest.raises(InputError, match="must end in"):
        write_page(
            tmp_path / "r.html",
            [Section("S", pictures=[Picture(tmp_path / "p.tiff", "c")])],
            title="T",
        )
