"""Maps of the activity and of the bottleneck."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mua_decode.analyses.latents.embed import embed, separation
from mua_decode.analyses.latents.vectors import (
    population_vectors,
    session_vectors,
    site_trial_vectors,
)
from mua_decode.files import write_text
from mua_decode.runs.progress import console
from mua_decode.runs.run import Run
from mua_decode.types import HypothesisTable, InputError, ResultTable, units_named


def map_latents(run: Run, folder: Path, *, max_points: int) -> None:
    """Map sites, trials and the bottleneck of the test part; silhouettes of labels with tests.

    As published, everything after the training is of the test part. Writes results.csv, tests.csv
    and a file of points per space and method.
    """
    data, seed = run.data, run.seed
    shared: dict[str, Any] = {"part": "test", "max_points": max_points, "seed": seed}
    encoder = getattr(run.network.cpu(), "encode", None)
    spaces = {
        "sites": site_trial_vectors(data, run.recording, **shared),
        "population": population_vectors(data, run.recording, **shared),
        "session": session_vectors(data, run.recording, **shared),
    }
    if encoder is not None:
        spaces["bottleneck"] = population_vectors(data, run.recording, encode=encoder, **shared)
    results: list[ResultTable] = []
    tests: list[HypothesisTable] = []
    for name, vectors in spaces.items():
        try:
            embeddings = [embed(vectors, method=m, seed=seed) for m in ("pca", "tsne")]
        except InputError as reason:  # a session with hardly a complete trial, say
            console.print(f"left out: {reason}", highlight=False, soft_wrap=True)
            continue
        found = separation(vectors, embeddings, seed=seed)
        results.append(found.results)
        tests.append(found.tests)
        for embedding in embeddings:
            points = embedding.labels.assign(
                x=embedding.points[:, 0],
                y=embedding.points[:, 1],
                space=vectors.space,
                dimension=vectors.points.shape[1],
                part=vectors.part,
                explained=json.dumps(embedding.explained),
            )
            path = folder / f"points_{name}_{embedding.method}.csv"
            write_text(path, points.to_csv(index=False, float_format="%.5g"))
    tested, scored = HypothesisTable.concat(tests), ResultTable.concat(results)
    for name, frame in (("tests", tested.frame), ("results", units_named(scored.frame))):
        write_text(folder / f"{name}.csv", frame.to_csv(index=False, float_format="%.6g"))
