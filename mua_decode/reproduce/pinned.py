"""The protocols at the published size, and what a run differs in from them, by comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from mua_decode.reproduce.plan import ReproducePlan
from mua_decode.runs.config import changed_config, compose
from mua_decode.runs.fingerprint import Fingerprint
from mua_decode.runs.plan import read_plan

_SIZE = "step."
_COMPARED = ("model", "loss", "data", "task", "trainer", "weights", "early_stopping")
# Where and how fast something is computed, and which random numbers, is no matter of protocol.
_LEFT_OUT = (
    "model.kernels", "data.seed", "data.sites_seed", "data.resident", "data.split.stream",
    "data.split.fold", "data.split.n_folds", "trainer.accelerator", "trainer.devices",
    "trainer.num_nodes", "trainer.strategy", "trainer.deterministic",
)  # fmt: skip
# What is said first, in this order, and how; the whole list has the rest by the name of its option.
_WORDS = {
    "model._target_": "network {}",
    "model.width": "width {}",
    "model.kernel_sizes": "kernels {}",
    "trainer.max_epochs": "{} epochs",
    "step.n_folds": "{} folds",
    "data.pseudo.per_condition": "{} pseudo-trials per condition",
    "task.optimizer": "{}",
    "model.skip_connections": "skip connections: {}",
    "loss.mse_weight": "MSE × {}",
    "data.pseudo.draw": "draw: {}",
    "task.scheduler": "schedule {}",
    "data.batch_size": "batch {}",
    "trainer.gradient_clip_val": "gradients clipped at {}",
    "data.pseudo.fresh": "pseudo-trials drawn afresh: {}",
    "weights": "{} weights",
    "model.output_skip": "output skip: {}",
    "loss.normalisation": "SSIM normalised by {}",
    "data.sites_per_region": "sites of a region: {}",
    "data.window": "counts: {}",
    "trainer.precision": "precision {}",
    "step.encoding": "encoding model: {}",
    "step.trials_per_condition": "{} trials per condition scored",
}
_WHOLE = ("task.optimizer", "task.scheduler", "data.sites_per_region", "data.window")
_UNSAID = ("_partial_", "scheduler_interval", "sites_per_region", "window")
_FEWER = ("model.width", "trainer.max_epochs", "data.pseudo.per_condition", "step.n_folds")
_SHORT = 6


@dataclass(frozen=True)
class Deviation:
    """What the run of a step differs in from its protocol at the published size.

    Parameters
    ----------
    differences
        In words, what matters most first: ``width 8``.
    published
        What stands there in the protocol, in the same order.
    reduced
        Whether something is smaller, not only different.
    """

    differences: tuple[str, ...]
    published: tuple[str, ...]
    reduced: bool

    @property
    def short(self) -> str:
        """``reduced: width 8, 4 epochs, ...``, the first six; empty where nothing differs."""
        if not self.differences:
            return ""
        more = len(self.differences) - _SHORT
        rest = [f"{more} more"] if more > 0 else []
        return f"{self._word}: {', '.join([*self.differences[:_SHORT], *rest])}"

    @property
    def full(self) -> str:
        """Every difference, beside what is published; empty where nothing differs."""
        pairs = zip(self.differences, self.published, strict=True)
        said = "; ".join(f"{ours} instead of {theirs}" for ours, theirs in pairs)
        return f"{self._word}: {said}" if said else ""

    @property
    def _word(self) -> str:
        return "reduced" if self.reduced else "changed"


@cache
def pinned(protocol: str) -> Mapping[str, Any]:
    """Options of a protocol at the published size, by dotted name; sizes of steps as ``step.X``."""
    cfg = compose("reproduce", ["size=paper"])
    plan = read_plan(ReproducePlan, cfg)
    options = Fingerprint.of(changed_config(cfg, plan.protocols[protocol].overrides)).options
    kept = {k: v for k, v in options.items() if k.split(".")[0] in _COMPARED}
    return kept | {_SIZE + k: v for k, v in asdict(plan.reproduce).items()}


def deviation(options: Mapping[str, Any], protocol: str, *, network: bool = True) -> Deviation:
    """Compare a step with its protocol at the published size.

    Parameters
    ----------
    options
        Of the run it works on, by dotted name, and the sizes it depends on (``step.X``): those of
        its fingerprint.
    network
        Whether a network comes into it; else only its data and its sizes are compared.
    """
    theirs, ours = pinned(protocol), {"weights": "best"} | dict(options)
    if ours.get("model.skip_connections") is False:  # another word for it
        ours["model.skip_connections"] = "none"
    names = [n for n in dict.fromkeys([*theirs, *ours]) if _compared(n, ours, theirs)]
    names = [n for n in names if network or n.split(".")[0] in ("data", "step")]
    differing = {n for n in names if ours.get(n) != theirs.get(n)}
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(differing, key=_rank):
        topic = _topic(name)
        found[topic] = (_said(topic, ours), _said(topic, theirs))
    fewer = [n for n in _FEWER if n in differing and _number(ours, n) < _number(theirs, n)]
    few = "step.trials_per_condition" in differing and theirs["step.trials_per_condition"] is None
    first, second = zip(*found.values(), strict=True) if found else ((), ())
    return Deviation(first, second, reduced=bool(fewer) or few)


def between_protocols() -> str:
    """What the rigorous protocol changes of the published one besides its fill, in words."""
    one, two = pinned("published"), pinned("rigorous")
    names = [n for n in dict.fromkeys([*one, *two]) if one.get(n) != two.get(n)]
    return ", ".join(f"{n}={two.get(n)} instead of {one.get(n)}" for n in names)


def _compared(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    if name.startswith(_SIZE):  # a step depends on some of the sizes
        return name in ours and name in theirs
    return name.split(".")[0] in _COMPARED and name not in _LEFT_OUT


def _topic(name: str) -> str:
    """An optimiser, a schedule or the like is one thing whatever its options."""
    return next((t for t in _WHOLE if name.startswith(t)), name)


def _rank(name: str) -> tuple[int, str]:
    topic, order = _topic(name), list(_WORDS)
    return (order.index(topic) if topic in order else len(order), name)


def _said(topic: str, options: Mapping[str, Any]) -> str:
    if topic in _WHOLE:
        parts = {k.rpartition(".")[2]: v for k, v in options.items() if k.startswith(topic)}
        words = [_value(parts.pop(name)) for name in ("_target_", "lr") if name in parts]
        rest = [f"{k} {_value(v)}" for k, v in parts.items() if v and k not in _UNSAID]
        value = " ".join([*words, *([f"({', '.join(rest)})"] if rest else [])])
        value = value or ("all" if topic == "data.sites_per_region" else "none")
    else:
        value = _value(options.get(topic, "not set"))
        value = "all" if topic == "step.trials_per_condition" and value == "none" else value
    return _WORDS.get(topic, f"{topic}={{}}").format(value)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        between = "-" if all(isinstance(v, int) for v in value) else ", "
        return between.join(map(str, value)) if value else "nothing of its own"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if " " in str(value) else str(value).rpartition(".")[2]


def _number(options: Mapping[str, Any], name: str) -> float:
    value = options.get(name)
    return float(value) if isinstance(value, int | float) else float("inf")
