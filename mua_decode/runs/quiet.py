"""Notices of other libraries that ask nothing of the user are not shown, in any process."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Beginnings of notices; ours say the same where it matters, in the note of a test for example.
_NOTICES = (
    "The `srun` command is available",
    "Precision loss occurred in moment calculation",
    "One or more sample arguments is too small",
    "An input array is constant",
)


def quiet() -> None:
    """Silence them from here on; whatever process works for a command calls this first."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for module in ("pytorch_lightning", "lightning_fabric", r"torch\.optim\.lr_scheduler"):
        warnings.filterwarnings("ignore", module=module)
    for notice in _NOTICES:
        warnings.filterwarnings("ignore", message=notice)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


@contextmanager
def quietly() -> Iterator[None]:
    """Silence them as long as the context lasts, be it in a command, a script or a notebook."""
    with warnings.catch_warnings():
        quiet()
        yield
