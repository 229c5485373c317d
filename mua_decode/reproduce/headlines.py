"""The first screen: what came out, and what to beware of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import binomtest

from mua_decode.report import Headline
from mua_decode.report.paper import Results
from mua_decode.reproduce.protocol import Protocol
from mua_decode.runs.page import standing_warnings
from mua_decode.scoring.standing import Standing
from mua_decode.statistics import adjust
from mua_decode.types import LeakState


def headlines(results: Results, protocols: Sequence[Protocol]) -> list[Headline]:
    """A decoder below its floors first, then noise, the decoder's score, then the regions."""
    lines = [h for p in protocols for h in _below(results, p.name)]
    lines += [line for p in protocols if (line := _noise(results, p.name)) is not None]
    for protocol in protocols:
        lines += _decoder(results, protocol)
    for protocol in protocols:
        lines += _regions(results, protocol.name)
    if results.reasons:
        steps = ", ".join(results.reasons)
        lines.append(Headline(f"Without a result, reasons below: {steps}."))
    return lines


def _noise(results: Results, protocol: str) -> Headline | None:
    """Whether the protocol finds something in noise.

    Pseudo-trials reuse recorded trials, one of every session each: no more of them are independent
    than the smallest session has test trials.
    """
    found = results.canary(protocol)
    if found is None:
        return None
    chance, n = float(found["chance"]), int(found["n_independent"])
    names = [name for name in ("network", "lookup", "ridge", "posterior") if name in found]
    tested = [
        binomtest(round(float(found[name]) * n), n, chance, alternative="two-sided")
        for name in names
    ]
    p = adjust(np.array([t.pvalue for t in tested]), "holm")
    state = LeakState.of_flag(found["leaking"])
    above = [i for i, name in enumerate(names) if p[i] < 0.05 and float(found[name]) > chance]
    scores = "; ".join(
        f"{name} {float(found[name]):.3f} (95 % CI {ci.low:.3f} to {ci.high:.3f}, {_p(p[i])})"
        for i, name in enumerate(names)
        for ci in [tested[i].proportion_ci()]
    )
    test = (
        f"two-sided binomial tests, n = {n} independent pseudo-trials (the smallest session's "
        f"trials), Holm over {len(names)}"
    )
    what = f"Identified on sites of pure Poisson noise, chance {chance:.3f}: {scores}; {test}."
    if above:
        best = max(above, key=lambda i: float(found[names[i]]))
        why = (
            "pseudo-trials are pooled before they are split, so that recorded trials feed both "
            "training and test"
            if state is LeakState.LEAKING
            else "find out why before you believe any score"
        )
        return Headline(
            f"Protocol {protocol} INFLATES scores: it finds what is not there; {why}. {what}",
            status="warning",
            value=f"{names[best]}: {float(found[names[best]]):.3f} from noise",
        )
    if state is LeakState.UNKNOWN:
        return Headline(
            f"Protocol {protocol}: whether scores are inflated cannot be told: trials were pooled "
            f"before they were stored, and this noise was drawn after that. {what}",
            status="warning",
            value="inflation unknown",
        )
    return Headline(
        f"Protocol {protocol}: no inflation found, on one draw of noise. {what}",
        status="good",
        value=f"{names[0]}: {float(found[names[0]]):.3f} from noise",
    )


def _decoder(results: Results, protocol: Protocol) -> list[Headline]:
    path = results.out / protocol.name / "decoder" / "run" / "metrics.json"
    if not path.is_file() or not results.has(protocol.name, "decoder"):
        return []
    flat = json.loads(path.read_text(encoding="utf-8"))
    part = "test" if "test/single_trial/identification" in flat else "val"
    score = flat.get(f"{part}/single_trial/identification")
    if score is None:
        return []
    lookup = flat.get("floor/lookup/single_trial/identification")
    beside = "" if lookup is None else f", a lookup decoder {lookup:.3f}"
    text = (
        f"Protocol {protocol.name}: single test pseudo-trials identified among "
        f"{flat['n_conditions']} videos (chance {flat['chance/identification']:.3f}{beside}). "
        f"{flat['audit'].capitalize()}.{_reduced(results, protocol.name, 'decoder')}"
    )
    free = LeakState.of_flag(flat["leaking"]) is LeakState.FREE
    return [Headline(text, status="neutral" if free else "warning", value=f"{score:.3f}")]


def _below(results: Results, protocol: str) -> list[Headline]:
    """What is said before anything else of a decoder from which nothing is to be concluded."""
    lines = standing_warnings(_standing(results, protocol))
    return [replace(h, text=f"Protocol {protocol}: {h.text}") for h in lines]


def _standing(results: Results, protocol: str) -> Standing | None:
    if not results.has(protocol, "decoder"):
        return None
    return Standing.read(results.out / protocol / "decoder" / "run" / "metrics.json")


def _regions(results: Results, protocol: str) -> list[Headline]:
    """The region whose masking costs most, where any costs something; averages over trials.

    Withheld where the decoder is below a floor, or not told from chance.

    The direction of a single decoded video is often undefined; averages rank regions reliably.
    """
    standing = _standing(results, protocol)
    if standing is not None and standing.withheld:
        return []
    means = results.read(protocol, "ablation/means.csv")
    tests = results.read(protocol, "ablation/tests.csv")
    if means is None or tests is None:
        return []
    trial = "trial_average"
    test = "two-sample t" if protocol == "published" else "paired t"
    rows = means[(means["family"] == "region") & (means["trial"] == trial)]
    n_conditions = int(rows["n"].max()) if len(rows) else 0
    names = {"cue_pixels": "shape", "colour_error": "colour", "direction_error": "motion"}
    parts = []
    for metric, name in names.items():
        of = rows[rows["metric"] == metric]
        if not len(of):
            continue
        label = f"{metric}, {trial}, {of['fill'].iloc[0]}"
        p = tests[(tests["metric"] == label) & tests["test"].str.startswith(test)]
        ranked = of.merge(p[["group", "p_corrected"]], left_on="removed", right_on="group")
        lost = ranked[(ranked["loss"] > 0) & (ranked["p_corrected"] < 0.05)]
        if not len(lost):
            parts.append(f"{name}: no region significant")
            continue
        first = lost.sort_values("loss", ascending=False).iloc[0]
        parts.append(
            f"{name}: {first['removed']}, {first['loss']:.3g} {first['unit']} "
            f"(95 % CI {first['low']:.3g} to {first['high']:.3g}"
            + _few(int(first["n"]), n_conditions)
            + ")"
        )
    if not parts:
        return []
    text = (
        f"Protocol {protocol}: masking one region costs most in {'; '.join(parts)}. Averages over "
        f"trials, one network; {test}-test, Holm-corrected."
        f"{_reduced(results, protocol, 'ablation')}"
    )
    return [Headline(text)]


def _reduced(results: Results, protocol: str, step: str) -> str:
    """What the networks differ in from the published ones, as a sentence."""
    note = results.reduced(protocol, step)
    return f" {note[0].upper() + note[1:]}." if note else ""


def _few(n: int, n_conditions: int) -> str:
    """Say so where a loss speaks for few conditions."""
    if n == n_conditions:
        return ""
    return f"; {n} of {n_conditions} conditions, undefined in the rest whatever is masked"


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= 1e-12 else "p < 1e-12"
