"""Names that look alike are one name, however their letters were put together."""

from __future__ import annotations

import unicodedata

import numpy as np


def composed(name: object) -> str:
    """Return a name as text (a region may be typed as a number) in Unicode's form NFC.

    A letter with an accent is one character or two (a Mac's disks and keyboards tell them apart
    differently), which nobody sees: names of sessions, regions and conditions are kept and looked
    up in this one form.
    """
    text = str(name)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def all_composed(names: np.ndarray) -> np.ndarray:
    """Return an array as text, of any shape, with every name :func:`composed`."""
    text = np.ascontiguousarray(names.astype(str))
    if (text.reshape(-1).view(np.uint32) < 128).all():
        return text
    return np.array([composed(n) for n in text.ravel().tolist()], str).reshape(text.shape)
