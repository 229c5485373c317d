"""Counts the recorded data that training and test share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mua_decode.types import PseudoTrials


class LeakError(RuntimeError):
    """A split that claims to be free of leaks shares recorded data between train and test."""


@dataclass(frozen=True)
class LeakAudit:
    """Result of :func:`audit_leakage`.

    ``shared`` counts the (site, presentation) pairs that feed both parts, ``test`` those that
    feed the test part, and ``leaking`` is what the split says of itself.
    """

    shared: int
    test: int
    leaking: bool

    @property
    def line(self) -> str:
        """One sentence for tables and logs."""
        kind = "LEAKING (pooled before the split)" if self.leaking else "free of leaks"
        share = self.shared / self.test if self.test else 0.0
        return (
            f"{kind}: {self.shared} of {self.test} recorded site-trials of the test part "
            f"({share:.1%}) also feed training"
        )


def audit_leakage(train: PseudoTrials, test: PseudoTrials, *, leaking: bool) -> LeakAudit:
    """Compare the provenance of two sets of pseudo-trials.

    Raises LeakError if ``leaking`` is False and any recorded site-trial feeds both.
    """
    used_test = _used(test)
    audit = LeakAudit(int((_used(train) & used_test).sum()), int(used_test.sum()), leaking)
    if audit.shared and not leaking:
        raise LeakError(
            f"the split claims to be free of leaks, but {audit.shared} of {audit.test} recorded "
            "site-trials feed both train and test"
        )
    return audit


def _used(pseudo: PseudoTrials) -> np.ndarray:
    """Boolean (presentations, N): this site's data from this presentation are used."""
    pool = pseudo.pool
    used = np.zeros((pool.presentation.max() + 1, len(pool.sites)), bool)
    columns = pseudo.sites()
    used[pool.presentation[pseudo.source_trial, columns], columns] = True
    return used
