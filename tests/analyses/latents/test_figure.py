from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.transforms import Bbox

from mua_decode.analyses.latents.figure import embedding
from mua_decode.types import InputError


def _points(n: int = 48) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 2))


def _drawn(ax) -> list:  # type: ignore[no-untyped-def]
    return [c for c in ax.collections if len(c.get_offsets())]


def test_a_panel_per_label_with_its_silhouette() -> None:
    labels = pd.DataFrame({"cue": ["cross", "circle"] * 24, "direction_deg": ["90", "-30"] * 24})
    figure = embedding(
        _points(), labels, explained=(0.4, 0.1), silhouettes={"cue": 0.31}, chance={"cue": -0.02}
    )
    cue, direction = figure.axes
    assert cue.get_title() == "cue\nsilhouette 0.31, chance -0.02"
    assert direction.get_title() == "direction (degrees)"
    assert cue.get_xlabel() == "principal component 1 (40 % of variance)"
    assert [t.get_text() for t in direction.get_legend().get_texts()] == ["-30", "90"]
    drawn = _drawn(cue)[0]
    np.testing.assert_array_equal(drawn.get_offsets(), _points())
    colours = drawn.get_facecolors()[:, :3]
    assert np.array_equal(colours[0], colours[2])
    assert not np.array_equal(colours[0], colours[1])
    figure.savefig(BytesIO())


@pytest.mark.parametrize("n_classes", [2, 16, 35])
def test_classes_differ_in_colour_or_marker_and_the_legend_covers_no_point(n_classes: int) -> None:
    n = n_classes * 4
    labels = pd.DataFrame({"stimulus": [f"green {i % n_classes}" for i in range(n)]})
    figure = embedding(_points(n), labels, method="tsne")
    FigureCanvasAgg(figure).draw()
    ax = figure.axes[0]
    handles = ax.get_legend().legend_handles
    looks = {
        (to_rgba(h.get_facecolor()[0])[:3], h.get_paths()[0].vertices.tobytes()) for h in handles
    }
    assert len(looks) == n_classes
    legend = ax.get_legend().get_window_extent()
    assert not Bbox.intersection(legend, ax.get_window_extent())
    assert not Bbox.intersection(legend, ax.xaxis.label.get_window_extent())
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.width
    assert legend.y0 >= 0
    assert sum(len(c.get_offsets()) for c in _drawn(ax)) == n


def test_too_many_classes_have_no_legend() -> None:
    labels = pd.DataFrame({"condition": [str(i) for i in range(48)]})
    ax = embedding(_points(), labels).axes[0]
    assert ax.get_legend() is None
    assert len(np.unique(_drawn(ax)[0].get_facecolors(), axis=0)) == 48


def test_wrong_input_is_refused() -> None:
    with pytest.raises(InputError, match="expected points"):
        embedding(_points(), pd.DataFrame({"a": ["x"]}))
    with pytest.raises(InputError, match="no label"):
        embedding(_points(), pd.DataFrame(index=range(48)))
