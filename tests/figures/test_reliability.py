from io import BytesIO

import pandas as pd
import pytest

from mua_decode.figures import reliability
from mua_decode.types import InputError


def test_coverage_and_accuracy_are_drawn() -> None:
    rows = [
        {"pixels": p, "condition": c, "nominal": level, "covered": level - 0.02, "gaussian": 0.4}
        for p in ("varying", "all")
        for c in ("all", "a", "b")
        for level in (0.5, 0.9)
    ]
    curve = pd.DataFrame({"kept": [0.5, 1.0], "accuracy": [1.0, 0.8], "confidence": [0.9, 0.8]})
    figure = reliability(pd.DataFrame(rows), curve, title="t")
    figure.savefig(BytesIO(), format="png")
    covered, kept = figure.axes
    assert [0.48, 0.88] in [list(line.get_ydata()) for line in covered.lines]
    assert list(kept.lines[0].get_ydata()) == [1.0, 0.8]
    with pytest.raises(InputError, match="curve lacks confidence"):
        reliability(pd.DataFrame(rows), curve[["kept", "accuracy"]])
