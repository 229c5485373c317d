"""Figures and report sections of an axis run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mua_decode import figures
from mua_decode.analyses.axis.figures.axis_ramps import axis_ramps
from mua_decode.analyses.axis.figures.image_gallery import image_gallery
from mua_decode.analyses.axis.figures.imagery_scatter import imagery_scatter
from mua_decode.analyses.axis.figures.reality_curve import reality_curve
from mua_decode.analyses.axis.figures.tuning_shares import tuning_shares
from mua_decode.analyses.axis.summary import AxisResults
from mua_decode.report import Picture, Section, write_page
from mua_decode.runs.folder import RunFolder

_COLUMNS = 10


def write_figures(
    folder: RunFolder, results: AxisResults, summary: pd.DataFrame, flat: dict[str, Any]
) -> None:
    """Draw every figure once, save it as PNG, and put it into ``report.html``."""
    sections = [_tuning(results, summary, flat)]
    if results.reconstruction is not None and results.pixels is not None:
        sections.append(_reading(results))
    if results.effective is not None:
        sections.append(_effective(results))
    if results.states is not None:
        sections.append(_imagery(results, flat))
    sections.append(
        Section("Tests", ["What stands behind every p-value."], {"Tests": results.test_table})
    )
    kept = []
    for section in sections:
        pictures = []
        for picture, name in zip(section.pictures, _NAMES[section.title], strict=False):
            assert isinstance(picture.image, Figure)
            path = figures.save(picture.image, folder.figure(f"{name}.png"))
            pictures.append(Picture(path, picture.caption))
        kept.append(Section(section.title, section.text, section.tables, pictures))
    footer = f"mua_decode {flat['version']}, seed {flat['seed']}; numbers in metrics.json"
    write_page(
        folder.path / "report.html", kept, title=f"Axis code: {flat['recording']}", footer=footer
    )


_NAMES = {
    "Axis tuning": ("axis_ramps", "tuning_shares"),
    "Images read back": ("reconstruction",),
    "Most effective images": ("effective",),
    "Imagery": ("imagery_scatter", "reality"),
    "Tests": (),
}


def _tuning(results: AxisResults, summary: pd.DataFrame, flat: dict[str, Any]) -> Section:
    model = results.first
    ramps = model.ramps
    picture = axis_ramps(
        ramps.position,
        ramps.curve_preferred,
        ramps.curve_orthogonal,
        names=model.sites["site_id"].tolist(),
        correlation=model.fit.correlation,
        tuned=model.tuned,
        title=f"Held-out responses along axes of {model.name.replace('_', ' ')}",
    )
    text = [
        f"{flat['axis/n_components']} principal components of {model.name.replace('_', ' ')}, "
        f"{flat['axis/n_train_images']} training and {flat['axis/n_test_images']} held-out images. "
        f"Noise ceiling {flat['axis/noise_ceiling']}. Visual responsiveness: "
        f"{flat['axis/responsiveness_test']}.",
        *results.responses.notes,
    ]
    tables = {"By feature space and region, 95 % intervals": summary}
    if len(results.comparison):
        counts = results.comparison.groupby(["first", "other", "better"]).size()
        tables["Sites better explained by"] = counts.rename("sites").reset_index()
    shares = tuning_shares(summary, results.sites, title="Axis-tuned sites")
    return Section(
        "Axis tuning",
        text,
        tables,
        [
            Picture(
                picture,
                "Responses to held-out images along the preferred axis, and along the "
                "principal orthogonal axis once the preferred projection is accounted for.",
            ),
            Picture(
                shares,
                "Share of visually responsive sites that are axis-tuned after "
                "correction (exact 95 % interval), and held-out correlation of every site.",
            ),
        ],
    )


def _reading(results: AxisResults) -> Section:
    found, pixels = results.reconstruction, results.pixels
    assert found is not None
    assert pixels is not None
    test = results.blocks.test
    # Evenly over the ranks, best first: what is shown is not the best that could be picked.
    order = np.argsort(-found.rank, kind="stable")
    picks = order[np.linspace(0, len(order) - 1, min(_COLUMNS, len(order))).round().astype(int)]
    rows = {
        "shown": pixels.full[test[picks]],
        "nearest in\nlibrary": pixels.full[found.nearest[picks]],
    }
    rows |= {
        f"{name}\ndecoder" if "decoder" not in name else name: d[picks]
        for name, d in pixels.decoded.items()
    }
    captions = {"shown": [f"rank {found.rank[i]:.2f}" for i in picks]}
    gallery = image_gallery(
        rows,
        captions=captions,
        title="Held-out images read back, from the best identified to the worst",
    )
    return Section(
        "Images read back",
        [
            f"The {results.first.x.shape[1]} components were decoded linearly from the population "
            f"for {len(test)} held-out images. Mean rank of the true image among them: "
            f"{found.rank.mean():.3f} (chance 0.5, p = {found.p:.2g}). The library is the training "
            "images: the shown image is never in it."
        ],
        {"Identification by number of distractors": found.table},
        [
            Picture(
                gallery,
                "Examples spread evenly over the ranks; rank 1: the decoded features are "
                "nearer to the true image than to any other held-out image.",
            )
        ],
    )


def _effective(results: AxisResults) -> Section:
    found = results.effective
    assert found is not None
    gallery = image_gallery(
        found.rows,
        captions=found.captions,
        title="Made by gradient, four strongest and two weakest of the library: predicted spikes/s"
        if "synthesised" in found.table
        else "Four strongest and two weakest of the library: predicted spikes/s",
    )
    return Section(
        "Most effective images",
        [
            "Predictions of the axis model, not recorded responses; the axes saw the training "
            "images of the library."
        ],
        {"Predicted responses, spikes/s": found.table},
        [Picture(gallery, "One row per site; numbers are predicted responses.")],
    )


def _imagery(results: AxisResults, flat: dict[str, Any]) -> Section:
    states = results.states
    assert states is not None
    imagery = states.imagery
    scatter = imagery_scatter(
        imagery.projected,
        imagery.imagined,
        reactivated=imagery.sites["reactivated"].to_numpy(bool),
        correlation=imagery.sites["imagery_axis_correlation"].to_numpy(float),
        scale=imagery.sites["imagery_scale"].to_numpy(float),
        title="Imagery on the axis measured in perception",
    )
    curve = reality_curve(states.reality, title="Reality monitoring")
    shown = {
        k.removeprefix("imagery/"): v
        for k, v in flat.items()
        if k.startswith("imagery/") and k.count("/") == 1
    }
    table = pd.DataFrame({"quantity": shown.keys(), "value": shown.values()})
    return Section(
        "Imagery",
        [
            f"{len(imagery.objects)} objects were imagined. A site reactivates if it is axis-tuned "
            "and its rate changes from baseline in imagery."
        ],
        {
            "Imagery": table,
            "Cross-decoding of objects": states.cross,
            "Perceived or imagined": states.reality,
        },
        [
            Picture(
                scatter,
                "Left: imagined responses against what the axis predicts, every site "
                "and object. Middle: their correlation per site. Right: scale of imagery.",
            ),
            Picture(curve, "Perceived or imagined, by number of sites."),
        ],
    )
