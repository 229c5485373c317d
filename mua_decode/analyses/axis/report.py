"""Figures and report of an axis run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mua_decode.analyses.axis.axis import AxisResults, ReadBack
from mua_decode.analyses.axis.effective import Effective
from mua_decode.analyses.axis.figures.answers import answered_images
from mua_decode.analyses.axis.figures.imagery import imagery_scatter, reality_curve
from mua_decode.analyses.axis.figures.tuning import axis_ramps, tuning_shares
from mua_decode.analyses.axis.imagery import States
from mua_decode.analyses.axis.paper import beside_published, how_it_differs
from mua_decode.figures.image_gallery import image_gallery
from mua_decode.report import Picture, Section, write_page
from mua_decode.runs.drawn import Drawing, write_figure
from mua_decode.runs.folder import RunFolder

_COLUMNS = 10
_ROWS = 6  # sites in the gallery
_SHORT = {
    "synthesised": "made",
    "orthogonal": "orthogonal",
    "library best": "best",
    "library recorded": "recorded",
    "library worst": "worst",
}
_CAPTIONS = {
    "axis_ramps": "Responses to held-out images along the preferred axis, and along the "
    "principal orthogonal axis once the preferred projection is accounted for.",
    "tuning_shares": "Share of visually responsive sites that are axis-tuned after "
    "correction (95 % interval over sessions or subjects), and held-out correlation of every site.",
    "reconstruction": "Examples spread evenly over the ranks; rank 1: the decoded features are "
    "nearer to the true image than to any other held-out image.",
    "effective": "One row per site; spikes per second.",
    "effective_answers": "Left: every site and image. Right: by how much the answers to the images "
    "made exceed the answer to the best library image of the same site.",
    "imagery_scatter": "Left: imagined responses against what the axis predicts, every site "
    "and object. Middle: their correlation per site. Right: scale of imagery.",
    "reality": "Perceived or imagined, by number of sites.",
}


def write_report(folder: RunFolder, results: AxisResults, flat: Mapping[str, Any]) -> None:
    """Draw every figure once, save it as PNG, and put it into ``report.html``."""
    published = beside_published(results, flat, results.plan.published)
    sections = [_published(results, published)] if len(published) else []
    sections.append(_tuning(results, flat, folder))
    if results.read is not None:
        sections.append(_reading(results, results.read, folder))
        if results.read.effective is not None:
            sections.append(_effective(results.read.effective, folder))
    if results.states is not None:
        sections.append(_imagery(results.states, flat, folder))
    sections.append(
        Section("Tests", ["What stands behind every p-value."], {"Tests": results.tests.frame})
    )
    write_page(
        folder.path / "report.html",
        sections,
        title=f"Axis code: {flat['recording']}",
        footer=f"mua_decode {flat['version']}, seed {flat['seed']}; numbers in metrics.json",
    )


def _tuning(results: AxisResults, flat: Mapping[str, Any], folder: RunFolder) -> Section:
    model, ramps = results.first, results.first.ramps
    space = model.name.replace("_", " ")
    tables = {"By feature space and region, 95 % intervals": results.regions}
    if len(results.comparison):
        counts = results.comparison.groupby(["first", "other", "better"]).size()
        pairs = results.comparison.groupby(["first", "other"], sort=False)
        over = [c for c in map(str, results.comparison) if c.startswith("p_over_")]
        columns = ["median_difference", "low", "high", *over]
        tables["Held-out correlation, first less other"] = pairs[columns].first().reset_index()
        tables["Sites better explained by"] = counts.rename("sites").reset_index()
    if results.categories is not None:
        pattern = results.categories.sites["pattern"].value_counts().rename("sites")
        many = model.x.shape[1]
        tables[f"Axis in, or category beyond, these {many} components"] = pattern.rename_axis(
            "adds to the other"
        ).reset_index()
    drawn = partial(
        axis_ramps,
        ramps.position,
        ramps.curve_preferred,
        ramps.curve_orthogonal,
        names=model.sites["site_id"].tolist(),
        correlation=model.fit.correlation,
        tuned=model.tuned,
        title=f"Held-out responses along axes of {space}",
    )
    shares = partial(tuning_shares, results.regions, results.sites, title="Axis-tuned sites")
    return Section(
        "Axis tuning",
        [
            f"{flat['axis/n_components']} principal components of {space}, "
            f"{flat['axis/n_train_images']} training and {flat['axis/n_test_images']} held-out "
            f"images. Noise ceiling {flat['axis/noise_ceiling']}. Visual responsiveness: "
            f"{flat['axis/responsiveness_test']}. {flat['axis/intervals']}.",
            *results.responses.notes,
        ],
        tables,
        _pictures(folder, {"axis_ramps": drawn, "tuning_shares": shares}),
    )


def _reading(results: AxisResults, read: ReadBack, folder: RunFolder) -> Section:
    found, pixels, test = read.reconstruction, read.pixels, results.blocks.test
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
    gallery = partial(
        image_gallery,
        rows,
        captions={"shown": [f"rank {found.rank[i]:.2f}" for i in picks]},
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
        _pictures(folder, {"reconstruction": gallery}),
    )


def _effective(found: Effective, folder: RunFolder) -> Section:
    shown, answers = found.shown, found.answers
    table = shown.table if answers is None else answers.images
    rows, captions = {}, {}
    for site in shown.sites[:_ROWS]:
        group = table[(table["site_id"] == site) & (table["kind"] != "library even")]
        rows[site] = np.stack([shown.images[n] for n in group["image"]]) / np.float32(255)
        captions[site] = [_said(r) for r in group.to_dict("records")]
    said = "predicted" if answers is None else "predicted and answered"
    title = f"Images for single sites: {said}, Hz"
    drawn: dict[str, Drawing] = {
        "effective": partial(image_gallery, rows, captions=captions, title=title)
    }
    text = [
        "Every site is shown the image made along its axis, one made along its principal "
        "orthogonal axis while the projection on its own is held, and images of the library, "
        "ranked by prediction and by recorded response. The library holds the held-out images "
        "alone: no axis has seen them. The folder effective/ holds all images, ready to be shown."
    ]
    if answers is None:
        text.append("Nobody has answered yet: the numbers are predictions of the axis model.")
        pictures = _pictures(folder, drawn)
        return Section("Most effective images", text, {"Spikes/s": found.table}, pictures)
    n = answers.numbers
    text.append(
        f"{int(n['n_sites'])} sites answered {int(answers.images['presentations'].min())} "
        "presentations or more of each image. The best library image is the one with the strongest "
        "answer among those shown. Beyond surely is the claim; beyond counts means that noise may "
        "have put there. Controls: the image along the orthogonal axis, no further along it than "
        "the other in standard deviations (answers per s.d. stand beside), and the images "
        "made for other sites. Simulated sites are linear unless "
        "recording.imagery.kinds says otherwise: that an image made from a linear axis drives them "
        "is then no more than that the axis was found."
    )
    title = "Images made for sites, answered"
    answered = partial(answered_images, answers.images, answers.sites, title=title)
    quantities = pd.DataFrame({"quantity": list(n), "value": list(n.values())})
    return Section(
        "Images made for sites, and what they answered",
        text,
        {"Beyond the best library image": quantities, "By site, spikes/s": found.table},
        _pictures(folder, {"effective_answers": answered, **drawn}),
    )


def _said(row: Mapping[Hashable, Any]) -> str:
    """Caption of one image: what it is, what is predicted and what was answered."""
    name = _SHORT[str(row["kind"])]
    answered = f" → {row['answered_hz']:.0f}" if "answered_hz" in row else ""
    return f"{name}\n{row['predicted_hz']:.0f}{answered}"


def _published(results: AxisResults, table: pd.DataFrame) -> Section:
    return Section(
        "Beside the published values",
        [how_it_differs(results)],
        {f"{(results.plan.published or {}).get('source', 'published')}": table},
    )


def _imagery(states: States, flat: Mapping[str, Any], folder: RunFolder) -> Section:
    imagery = states.imagery
    scatter = partial(
        imagery_scatter,
        imagery.held.projected,
        imagery.imagined,
        reactivated=imagery.sites["reactivated"].to_numpy(bool),
        correlation=imagery.sites["imagery_axis_correlation"].to_numpy(float),
        scale=imagery.sites["imagery_scale"].to_numpy(float),
        title="Imagery on the axis measured in perception",
    )
    curve = partial(reality_curve, states.reality, title="Reality monitoring")
    shown = {k: v for k, v in flat.items() if k.startswith("imagery/") and k.count("/") == 1}
    quantities = [k.removeprefix("imagery/") for k in shown]
    return Section(
        "Imagery",
        [
            f"{len(imagery.held.objects)} objects were imagined; components and axes were fitted "
            "on the other images. A site reactivates if it is axis-tuned and its rate rises above "
            f"baseline for some imagined object. {imagery.units.said}."
        ],
        {
            "Imagery": pd.DataFrame({"quantity": quantities, "value": shown.values()}),
            "Cross-decoding of objects": states.cross,
            "Perceived or imagined": states.reality,
        },
        _pictures(folder, {"imagery_scatter": scatter, "reality": curve}),
    )


def _pictures(folder: RunFolder, drawings: Mapping[str, Drawing]) -> list[Picture]:
    """Those that could be drawn, and what they show."""
    paths = {name: write_figure(name, drawing, folder) for name, drawing in drawings.items()}
    return [Picture(path, _CAPTIONS[name]) for name, path in paths.items() if path is not None]
