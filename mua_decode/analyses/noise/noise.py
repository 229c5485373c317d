"""How much a protocol finds in sites that know nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mua_decode.files import write_text
from mua_decode.runs.run import Run
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.simulation import noise_surrogate
from mua_decode.types import units_named


def find_in_noise(
    source: Run, folder: Path, *, overrides: Sequence[str], n_conditions: int
) -> dict[str, Any]:
    """Train and score on Poisson noise of the recording's own rates, trials and sites.

    Whatever is identified above chance is made by the protocol. Writes results.csv and
    canary.json, and returns what the latter holds: identification of the network and its floors,
    chance, recorded test trials, and those of the smallest session, which bound the number of
    independent pseudo-trials.
    """
    noise = noise_surrogate(source.recording, seed=source.seed, n_conditions=n_conditions)
    silent = Run(source.folder, source.cfg, recording=noise)
    variant = Variant("network", (*overrides, "metric=[identification]"))
    scored = run_variant(silent, variant, folder)
    flat, part = scored.metrics, scored.run.scored_part
    trials = scored.run.data.split.trials[part]
    found = {
        "leaking": flat["leaking"],
        "chance": flat["chance/identification"],
        "n_recorded_trials": flat[f"{part}/n_recorded_trials"],
        "n_independent": min(
            int(flat[f"{part}/n_pseudo_trials"]), *(len(rows) for rows in trials.values())
        ),
        "n_conditions": flat["n_conditions"],
        "network": flat[f"{part}/single_trial/identification"],
    }
    for floor in ("lookup", "ridge", "posterior"):
        key = f"floor/{floor}/single_trial/identification"
        if key in flat:
            found[floor] = flat[key]
    text = units_named(scored.table.frame).to_csv(index=False, float_format="%.6g")
    write_text(folder / "results.csv", text)
    write_text(folder / "canary.json", json.dumps(found, indent=2) + "\n")
    return found
