"""The page holds everything it shows."""

import pandas as pd
from matplotlib.figure import Figure

from mua_decode.report import Picture, Section, write_page


def test_page_is_whole_escaped_and_self_contained(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1])
    table = pd.DataFrame({"a_b": [0.123456, float("nan")], "text": ["<x>", "y"]})
    long = pd.DataFrame({"n": range(100)})
    sections = [
        Section("One & two", ["a < b"], {"T": table, "Long": long}, [Picture(figure, "cap <1>")]),
        Section("Three"),
    ]
    path = write_page(tmp_path / "r.html", sections, title="T", most_rows=10)
    text = path.read_text()
    assert text.count("data:image/png;base64,") == 1
    assert "http" not in text
    assert "a &lt; b" in text
    assert "&lt;x&gt;" in text
    assert "0.123" in text
    assert "unknown" in text  # an undefined number
    assert "first 10 of 100 rows" in text
    assert list(tmp_path.iterdir()) == [path]
