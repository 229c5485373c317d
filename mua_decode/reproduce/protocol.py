"""What a protocol changes: the runs it trains, and the folder it writes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mua_decode.reproduce.plan import ReproducePlan, SizePlan
from mua_decode.runs.folder import RunFolder
from mua_decode.runs.progress import hushed
from mua_decode.runs.run import Run
from mua_decode.types import Recording


@dataclass(frozen=True, eq=False)
class Protocol:
    """One way of asking all questions.

    Parameters
    ----------
    name
        ``published`` or ``rigorous``.
    plan
        What is asked.
    source
        The main decoder, as ``mua-decode train`` would train it.
    beside
        The networks trained beside it, at their size.
    folder
        Where the steps write.
    """

    name: str
    plan: ReproducePlan
    source: Run
    beside: Run
    folder: Path

    @classmethod
    def of(cls, plan: ReproducePlan, name: str, base: Run, out: Path) -> Protocol:
        """Make a protocol; wrong options of its data show here.

        Parameters
        ----------
        base
            The run that all protocols vary.
        """
        given = plan.decoder is not None  # it keeps the data that it was trained on
        source = base.changed(() if given else plan.protocols[name].overrides)
        with hushed():
            _ = source.data
        return cls(name, plan, source, source.changed(plan.retrained), out / name)

    @property
    def recording(self) -> Recording:
        """Read once for everything."""
        return self.source.recording

    @property
    def size(self) -> SizePlan:
        """Sizes of the steps."""
        return self.plan.reproduce

    @property
    def fill(self) -> str:
        """What masked sites show the network."""
        return self.plan.protocols[self.name].fill

    @property
    def decoder(self) -> Run:
        """The main decoder, trained."""
        folder = RunFolder(self.folder / "decoder" / "run")
        return self.source.trained_in(folder)

    @property
    def reference(self) -> Run:
        """The decoder at the size of the networks trained beside it, trained."""
        step = "reference" if self.plan.retrained else "decoder"
        folder = RunFolder(self.folder / step / "run")
        return self.beside.trained_in(folder)
