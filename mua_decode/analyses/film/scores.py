"""Scores of network and floors in every block of the film, as recorded and turned round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mua_decode.analyses.film.correlation import block_scores
from mua_decode.analyses.film.decoded import decode_part
from mua_decode.analyses.film.lag import LagSearch
from mua_decode.analyses.film.plan import FilmPlan
from mua_decode.data import shift_responses
from mua_decode.runs.progress import hushed, track
from mua_decode.runs.run import Run
from mua_decode.runs.score import competitors
from mua_decode.runs.variants import Variant, run_variant
from mua_decode.scoring.averages import Predict
from mua_decode.types import Recording


def floors_of(run: Run) -> dict[str, Predict]:
    """Floors, fitted on the run's training part."""
    return {name: p for name, p in competitors(run).items() if name.startswith("floor/")}


def network_of(run: Run) -> Predict:
    """What a trained run decodes."""
    return lambda batch: run.decode(batch.spikes)


_MOST_FOLDS = 10  # time grows with the square of the film's length otherwise


@dataclass(frozen=True, eq=False)
class BlockScorer:
    """Tests every decoder on every block it can be tested on.

    Where repeats are held out, that is every block. Where blocks are, floors are fitted in every
    fold of them, with a penalty (and lag) of the fold's training blocks; the network is tested on
    its own blocks, or was trained in every fold.

    Parameters
    ----------
    run
        The trained run.
    plan, search
        What is asked, and the search for lag and penalty.
    blocks
        int (K,): block of every condition.
    networks
        Trained runs, one a fold; none: the run's own network alone.
    """

    run: Run
    plan: FilmPlan
    search: LagSearch
    blocks: np.ndarray
    networks: tuple[Run, ...] = ()

    @classmethod
    def of(
        cls, run: Run, plan: FilmPlan, search: LagSearch, *, blocks: np.ndarray, folder: Path
    ) -> BlockScorer:
        """Train networks in ``folder`` where the plan wants one in every fold."""
        scorer = cls(run, plan, search, blocks)
        if plan.network == "own" or not scorer.folded:
            return scorer
        changes = scorer.folds()
        networks = [
            run_variant(run, Variant(f"fold_{i}", c), folder).run
            for i, c in enumerate(track(changes, "training in every fold", len(changes)))
        ]
        return cls(run, plan, search, blocks, tuple(networks))

    @property
    def folded(self) -> bool:
        """Whether blocks are held out."""
        return str(self.run.cfg.data.split.unit) == "block"

    def folds(self) -> list[tuple[str, ...]]:
        """Changes of the run that hold out each fold of the blocks."""
        n = self.plan.folds or min(len(np.unique(self.blocks)), _MOST_FOLDS)
        return [(f"data.split.n_folds={n}", f"data.split.fold={i}") for i in range(n)]

    def observed(self) -> pd.DataFrame:
        """Scores as :func:`block_scores` has them."""
        return self._scored([0.0], "scoring every fold")

    def shifted(self, shifts_s: np.ndarray) -> pd.DataFrame:
        """The same of responses turned round the film, with a column shift_s.

        Lag, penalty and floors are found again on them; networks decode them as they are.
        """
        return self._scored(shifts_s.tolist(), "turning responses round the film", named=True)

    def _scored(self, shifts_s: list[float], what: str, *, named: bool = False) -> pd.DataFrame:
        """Scores of responses turned by each of the shifts; ``named``: with their column."""
        each = len(self.networks or (self.run,)) + len(self.folds()) if self.folded else 1
        tables = []
        for shift_s, run, predictors in track(self._parts(shifts_s), what, each * len(shifts_s)):
            found = decode_part(
                run.data, run.scored_part, predictors, self.plan.trials_per_condition
            )
            table = block_scores(found, self.blocks)
            tables.append(table.assign(shift_s=shift_s) if named else table)
        return pd.concat(tables, ignore_index=True)

    def _parts(self, shifts_s: list[float]) -> Iterator[tuple[float, Run, dict[str, Predict]]]:
        """Shift, run, and what is tested on its test part; nothing is said meanwhile."""
        for shift_s in shifts_s:
            turned = shift_responses(self.run.recording, shift_s) if shift_s else None
            tested = self._tested(self.run.recording if turned is None else turned)
            while True:
                with hushed():
                    found = next(tested, None)
                if found is None:
                    break
                yield shift_s, *found

    def _tested(self, recording: Recording) -> Iterator[tuple[Run, dict[str, Predict]]]:
        """Runs on a recording, and what is tested on the test part of each."""
        own = Run(self.run.folder, self.run.cfg, recording=recording)
        if not self.folded:
            yield own, {"decoder": network_of(self.run), **floors_of(own)}
            return
        for network in self.networks or (self.run,):
            part = Run(network.folder, network.cfg, recording=recording)
            yield part, {"decoder": network_of(network)}
        for changes in self.folds():
            tuned = self.search.tuned(own.changed(changes))
            yield tuned, floors_of(tuned)
