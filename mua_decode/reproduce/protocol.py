"""What a protocol changes: its config, its population, its folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from mua_decode.data import DecodingData
from mua_decode.runs.build import build_data
from mua_decode.runs.config import compose
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.open import Trained, open_trained
from mua_decode.runs.variants import changed_config, hushed
from mua_decode.types import Recording

_OWN = (
    "protocol",
    "out",
    "steps",
    "protocols",
    "groups",
    "correction",
    "published",
    "side_by_side",
    "isolate_metrics",
    "retrained",
    "reproduce",
)


@dataclass(frozen=True, eq=False)
class Protocol:
    """One way of asking all questions: its config, its fill, its folder.

    Parameters
    ----------
    name
        ``published`` or ``rigorous``.
    cfg
        Config of ``mua-decode reproduce``.
    recording
        Read once for everything.
    folder
        Where its steps write.
    """

    name: str
    cfg: DictConfig
    recording: Recording
    folder: Path

    @cached_property
    def source(self) -> DictConfig:
        """Config of the main decoder, as ``mua-decode train`` would have it."""
        plain = {k: v for k, v in self.cfg.items() if k not in _OWN}
        base = OmegaConf.create(plain)
        base.run_dir, base.ckpt_path, base.logger = None, None, base.get("logger")
        overrides = [str(o) for o in self.cfg.protocols[self.name].overrides]
        return changed_config(base, overrides)

    @cached_property
    def retrained(self) -> DictConfig:
        """Config of networks trained beside the decoder, at their size."""
        return changed_config(self.source, [str(o) for o in self.cfg.retrained])

    @cached_property
    def data(self) -> DecodingData:
        """Split and population of the main decoder."""
        with hushed():
            return build_data(self.source, self.recording)

    @property
    def size(self) -> DictConfig:
        """Sizes of the steps."""
        found: DictConfig = self.cfg.reproduce
        return found

    @property
    def fill(self) -> str:
        """What masked sites show the network."""
        return str(self.cfg.protocols[self.name].fill)

    @property
    def run(self) -> RunFolder:
        """Folder of the main decoder."""
        return RunFolder(self.folder / "decoder" / "run")

    @property
    def reference(self) -> Path:
        """Checkpoint of the decoder at the size of the networks trained beside it."""
        if self.cfg.retrained:
            return self.folder / "reference" / "run" / "checkpoints" / "best.ckpt"
        return self.run.checkpoint("best")

    def open(self) -> Trained:
        """Open the main decoder, ready to decode."""
        return open_trained(self._ablation(), data=self.data)

    def _ablation(self, *options: str) -> DictConfig:
        metrics = ",".join(str(m) for m in self.cfg.metric)
        cfg = compose("ablate", [f"run_dir={self.run.path}", *options])
        cfg.metric = {m: self.cfg.metric[m] for m in metrics.split(",")}
        cfg.trusted = list(self.cfg.trusted)
        return cfg

    def ablation(self) -> DictConfig:
        """Config of ``mua-decode ablate`` for this protocol."""
        size = self.size
        cfg = self._ablation(
            f"fills=[{self.fill}]",
            f"trials_per_condition={_text(size.trials_per_condition)}",
            f"equal.repeats={size.equal_repeats}",
            f"correction={self.cfg.correction}",
            f"seed={self.cfg.seed}",
        )
        cfg.groups = self.cfg.groups
        return cfg


def _text(value: object) -> str:
    return "null" if value is None else str(value)
