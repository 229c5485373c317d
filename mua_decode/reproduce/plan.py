"""Options of a reproduction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mua_decode.analyses.generalise.plan import CurvePlan, HeldOutPlan
from mua_decode.analyses.sampling.plan import SamplingPlan
from mua_decode.analyses.similarity.plan import SimilarityPlan
from mua_decode.types import InputError, nearest_name

PROTOCOLS = ("published", "rigorous")
# What a step asks, by its name, in order.
STEPS = {
    "decoder": "how well is the video decoded?",
    "ablation": "what is lost without each region?",
    "encoding": "does the video predict the activity?",
    "encoding_bands": "does it predict fast changes of the activity?",
    "similarity": "how alike are trials?",
    "latents": "what lies next to what?",
    "reference": "the decoder at the size of the networks below",
    "isolate": "what does one region alone decode?",
    "compare": "do simpler networks do as well?",
    "sampling": "what is decoded at other sampling rates?",
    "crossval": "does it depend on the split?",
    "repeat": "does it depend on the seed?",
    "generalise": "conditions never trained on, and less data",
    "noise": "what does this protocol find in pure noise?",
}


@dataclass(frozen=True, kw_only=True)
class ProtocolPlan:
    """What a protocol changes, and what masked sites show the network."""

    overrides: tuple[str, ...]
    fill: str


@dataclass(frozen=True, kw_only=True)
class FinerPlan:
    """An encoding at a finer step: what changes in its data, and in its training."""

    data: tuple[str, ...]
    encoding: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SizePlan:
    """Size of every step; see conf/size."""

    n_folds: int
    n_seeds: int
    encoding: tuple[str, ...]
    encoding_bands: FinerPlan
    sampling: SamplingPlan
    trials_per_condition: int | None
    equal_repeats: int
    held_out: HeldOutPlan
    curves: CurvePlan
    noise_inputs: int
    similarity: SimilarityPlan
    points: int
    canary_conditions: int
    canary: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReproducePlan:
    """What is asked of a recording, and how.

    Parameters
    ----------
    protocol
        ``published``, ``rigorous`` or ``both``.
    steps
        ``all``, one step, or a list of them.
    decoder
        Folder of a run to ask instead of training a main decoder; then every protocol has its
        data, split included.
    side_by_side
        Both protocols at once on a CPU.
    protocols
        By name.
    isolate_metrics
        Options of the group ``metric`` that regions alone are scored with.
    groups
        Regions to mask and to train on together.
    correction
        ``holm`` or ``fdr_bh``.
    retrained
        What changes for networks trained beside the decoder.
    reproduce
        Size of every step.
    published
        Values printed in the paper.
    """

    protocol: str
    steps: str | tuple[str, ...]
    decoder: str | None
    side_by_side: bool
    protocols: Mapping[str, ProtocolPlan]
    isolate_metrics: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    correction: str
    retrained: tuple[str, ...]
    reproduce: SizePlan
    published: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in () if self.steps == "all" else self.wanted:
            if name not in STEPS:
                raise InputError(
                    f"steps: there is no step '{name}'{nearest_name(name, STEPS)}; "
                    f"choose from {', '.join(STEPS)}"
                )

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the steps asked for."""
        return (self.steps,) if isinstance(self.steps, str) else self.steps

    @property
    def names(self) -> list[str]:
        """Names of the protocols asked for.

        Raises InputError if there is no such protocol.
        """
        if self.protocol == "both":
            return list(PROTOCOLS) if self.decoder is None else list(PROTOCOLS[:1])
        if self.protocol not in PROTOCOLS:
            known = ["both", *PROTOCOLS]
            raise InputError(
                f"protocol={self.protocol}: choose from {', '.join(known)}"
                f"{nearest_name(self.protocol, known)}"
            )
        return [self.protocol]
