"""The first screen: what came out, and what to beware of."""

from __future__ import annotations

import json
from collections.abc import Sequence

from scipy.stats import binomtest

from mua_decode.commands.reproduce.steps import Protocol
from mua_decode.commands.reproduce.tables import Results
from mua_decode.report import Headline


def headlines(results: Results, protocols: Sequence[Protocol]) -> list[Headline]:
    """Noise first, then the decoder beside its floor, then the regions."""
    lines = [line for p in protocols if (line := _noise(results, p.name)) is not None]
    for protocol in protocols:
        lines += _decoder(results, protocol)
    for protocol in protocols:
        lines += _regions(results, protocol.name)
    if results.reasons:
        steps = ", ".join(results.reasons)
        lines.append(Headline(f"Without a result, reasons below: {steps}."))
    return lines


def _noise(results: Results, protocol: str) -> Headline | None:
    """Whether the protocol finds something in noise; recorded trials are the independent n."""
    found = results.canary(protocol)
    if found is None:
        return None
    best = max(("network", "lookup"), key=lambda k: found.get(k, 0.0))
    score, chance = float(found[best]), float(found["chance"])
    n = int(found["n_recorded_trials"])
    p = binomtest(round(score * n), n, chance, alternative="greater").pvalue
    scores = ", ".join(
        f"{name} {found[name]:.3f}" for name in ("network", "lookup", "ridge") if name in found
    )
    what = f"identified on sites of pure Poisson noise ({scores}; chance {chance:.3f})"
    if p < 0.001 and score > 1.5 * chance:
        return Headline(
            f"Protocol {protocol}: {what}. This order of steps INFLATES scores: recorded trials "
            "reach both training and test, so its scores cannot be taken at face value.",
            status="warning",
            value=f"{score:.3f}",
        )
    return Headline(
        f"Protocol {protocol}: {what}. Not above chance: nothing is found where there is nothing.",
        status="good",
        value=f"{score:.3f}",
    )


def _decoder(results: Results, protocol: Protocol) -> list[Headline]:
    path = results.out / protocol.name / "decoder" / "run" / "metrics.json"
    if not path.is_file() or f"{protocol.name}/decoder" in results.reasons:
        return []
    flat = json.loads(path.read_text())
    part = "test" if "test/single_trial/identification" in flat else "val"
    score = flat.get(f"{part}/single_trial/identification")
    if score is None:
        return []
    lookup = flat.get("floor/lookup/single_trial/identification")
    beside = "" if lookup is None else f", a lookup decoder {lookup:.3f}"
    text = (
        f"Protocol {protocol.name}: single test trials identified among "
        f"{flat['n_conditions']} videos (chance {flat['chance/identification']:.3f}{beside}). "
        f"{flat['audit'].capitalize()}."
    )
    leaking = bool(flat["leaking"])
    return [Headline(text, status="warning" if leaking else "neutral", value=f"{score:.3f}")]


def _regions(results: Results, protocol: str) -> list[Headline]:
    means = results.read(protocol, "ablation/means.csv")
    if means is None:
        return []
    trial = "trial_average" if protocol == "published" else "single_trial"
    rows = means[(means["family"] == "region") & (means["trial"] == trial)]
    names = {"cue_pixels": "shape", "colour_error": "colour", "direction_error": "motion"}
    parts = []
    for metric, name in names.items():
        ranked = rows[rows["metric"] == metric].sort_values("loss", ascending=False)
        if len(ranked):
            first = ranked.iloc[0]
            parts.append(f"{name}: {first['removed']} ({first['loss']:.3g} {first['unit']})")
    if not parts:
        return []
    averaging = trial.replace("_", " ")
    return [
        Headline(f"Protocol {protocol}: masking costs most in {'; '.join(parts)}, {averaging}.")
    ]
