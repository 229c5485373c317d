"""Scores of masks on disk: the decoder runs once per mask, an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mua_decode.analyses.ablate.scorer import MaskScorer, MaskScores
from mua_decode.types import SiteMask

_KINDS = ("single", "undefined", "average")


class MaskCache:
    """One file per mask; masks that leave the same sites in share one, whatever their name.

    Parameters
    ----------
    folder
        Where the files lie.
    identity
        Everything that the scores depend on besides the mask: checkpoint, trials, fill, metrics.
        Files of another identity are not read.
    """

    def __init__(self, folder: Path, identity: Mapping[str, object]) -> None:
        self._folder = folder
        text = json.dumps(dict(identity), sort_keys=True, default=str)
        self._identity = hashlib.sha256(text.encode()).hexdigest()

    def path(self, mask: SiteMask) -> Path:
        """Return the file of a mask."""
        shape = str(mask.keep.shape).encode()
        key = hashlib.sha256(self._identity.encode() + shape + np.packbits(mask.keep).tobytes())
        return self._folder / f"{key.hexdigest()[:20]}.npz"

    def score(self, scorer: MaskScorer, mask: SiteMask, *, video: bool) -> MaskScores:
        """Read the scores of a mask, or decode and keep them.

        The mean video is kept on disk where asked for, as ``predicted``, but never in memory.
        """
        path = self.path(mask)
        found = _load(path)
        if found is None or (video and not self._has_video(path)):
            found = scorer.score(mask)
            _save(path, found, video=video)
        return replace(found, mask=mask.name, n_removed=mask.n_removed, predicted=None)

    def video(self, mask: SiteMask) -> np.ndarray:
        """Read the mean decoded video of a mask, uint8 (K, C, T, H, W)."""
        with np.load(self.path(mask), allow_pickle=False) as file:
            return np.asarray(file["predicted"])

    @staticmethod
    def _has_video(path: Path) -> bool:
        with np.load(path, allow_pickle=False) as file:
            return "predicted" in file.files


def _save(path: Path, scores: MaskScores, *, video: bool) -> None:
    arrays = {
        f"{kind}/{metric}": value
        for kind in _KINDS
        for metric, value in getattr(scores, kind).items()
    }
    if video and scores.predicted is not None:
        arrays["predicted"] = scores.predicted
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _load(path: Path) -> MaskScores | None:
    """Read a file; one that is missing or damaged is decoded again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != "predicted"}
    except Exception:  # zipfile and zlib have errors of their own for cut files
        return None
    kinds: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in _KINDS}
    for name, value in arrays.items():
        kind, _, metric = name.partition("/")
        kinds[kind][metric] = value
    return MaskScores(
        mask="",
        n_removed=0,
        predicted=None,
        single=kinds["single"],
        undefined=kinds["undefined"],
        average=kinds["average"],
    )
