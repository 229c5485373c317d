"""How much a protocol finds in sites that know nothing."""

from __future__ import annotations

import json
from pathlib import Path

from omegaconf import DictConfig

from mua_decode.files import write_text
from mua_decode.runs.build import build_data
from mua_decode.runs.variants import Variant, changed_config, hushed, run_variant
from mua_decode.simulation import noise_surrogate
from mua_decode.types import Recording


def run_canary(
    source: DictConfig,
    folder: Path,
    *,
    recording: Recording,
    overrides: tuple[str, ...],
    n_conditions: int,
) -> None:
    """Train and score on Poisson noise of the recording's own rates, trials and sites.

    Whatever is identified above chance is made by the protocol. Writes results.csv and
    canary.json: identification of the network and its floors, chance, recorded test trials, and
    those of the smallest session, which bound the number of independent pseudo-trials.
    """
    noise = noise_surrogate(recording, seed=int(source.seed), n_conditions=n_conditions)
    variant = Variant("network", (*overrides, "metric=[identification]"))
    table = run_variant(source, variant, folder, recording=noise, draw=False)
    flat = json.loads((folder / variant.name / "metrics.json").read_text())
    part = str(table.frame["split"].iloc[0]).split(" ")[0]
    with hushed():
        split = build_data(changed_config(source, overrides), noise).split
    found = {
        "leaking": bool(flat["leaking"]),
        "chance": flat["chance/identification"],
        "n_recorded_trials": flat[f"{part}/n_recorded_trials"],
        "n_independent": min(
            int(flat[f"{part}/n_pseudo_trials"]),
            *(len(rows) for rows in split.trials[part].values()),
        ),
        "n_conditions": flat["n_conditions"],
        "network": flat[f"{part}/single_trial/identification"],
    }
    for floor in ("lookup", "ridge"):
        key = f"floor/{floor}/single_trial/identification"
        if key in flat:
            found[floor] = flat[key]
    write_text(folder / "results.csv", table.frame.to_csv(index=False, float_format="%.6g"))
    write_text(folder / "canary.json", json.dumps(found, indent=2) + "\n")
