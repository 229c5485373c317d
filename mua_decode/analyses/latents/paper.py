"""Table and pictures of the paper: maps of the activity and of the bottleneck."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from mua_decode.analyses.latents.figure import embedding
from mua_decode.report import Picture
from mua_decode.report.paper import TITLES, PaperTable, Results

_ABOUT = ("x", "y", "space", "dimension", "part", "explained")
METHODS = {"pca": "PCA", "tsne": "t-SNE"}


def separation(results: Results) -> PaperTable:
    """S19: silhouettes and their tests."""
    title = "Latents: silhouettes of labels beside their label-permutation chance"
    return results.table("S19_separation", title, "latents/tests.csv")


def embeddings(results: Results, protocol: str, name: str, method: str) -> list[Picture]:
    """Map of one space by one of the ``METHODS``, where its points were written."""
    points = results.read(protocol, f"latents/points_{name}_{method}.csv")
    if points is None:
        return []
    scores = results.read(protocol, "latents/results.csv")
    space = str(points["space"].iloc[0])
    explained = json.loads(points["explained"].iloc[0])  # null of t-SNE
    dimension, part = points["dimension"].iloc[0], points["part"].iloc[0]
    labels = points.drop(columns=list(_ABOUT)).astype(str)
    silhouettes, chance = _silhouettes(scores, space, method, [str(c) for c in labels.columns])
    figure = embedding(
        points[["x", "y"]].to_numpy(),
        labels,
        method=method,
        explained=tuple(explained) if explained else None,
        silhouettes=silhouettes,
        chance=chance,
        title=f"{space}, {dimension} dimensions, {protocol}",
    )
    caption = f"{METHODS[method]} of {space} ({dimension} dimensions), part {part}"
    return [Picture(figure, f"{caption}, {TITLES[protocol]}.")]


def _silhouettes(
    scores: pd.DataFrame | None, space: str, method: str, labels: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    if scores is None:
        return {}, {}
    here = scores[(scores["run"] == space) & (scores["segment"] == method)]
    value = here.set_index("metric")["value"].to_dict()
    silhouettes, chance = (
        {n: float(value[m]) for n in labels if (m := f"silhouette_{n}{end}") in value}
        for end in ("", "_chance")
    )
    return silhouettes, chance
