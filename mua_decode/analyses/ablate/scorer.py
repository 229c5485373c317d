"""Take sites away from a trained decoder and score what it decodes from the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mua_decode.analyses.ablate.fill import replacement
from mua_decode.analyses.ablate.plan import AblationPlan
from mua_decode.analyses.ablate.scores import MaskScores
from mua_decode.data import Batch, DecodingData
from mua_decode.files import sha256
from mua_decode.metrics import Shown, VideoMetric
from mua_decode.runs.progress import track
from mua_decode.runs.run import Run
from mua_decode.scoring.averages import Averages, as_bytes, batches_of, first_trials
from mua_decode.scoring.evaluate import segment_scores
from mua_decode.types import SiteMask

# Few masks, whose mean videos are looked at; the others are many, and compared by scores alone.
_FEW = ("unmasked", "region", "group", "subset")
_IN_RINGS = ("region", "group")


class MaskScorer:
    """Scores masks on the same trials, with the same averaging and the same replacement.

    Parameters
    ----------
    decode
        Maps standardised counts (B, T, N) to video (B, C, T, H, W), in evaluation mode.
    data, plan
        Where the trials come from, and which.
    metrics
        Scored on the frames of their segment, or on the whole video.
    fill, ring
        What a masked site shows the network, see :func:`replacement`, and the number of the ring
        of its donors; the same donors serve all masks.

    Raises InputError if the part is empty or the fill not to be had.
    """

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        data: DecodingData,
        plan: AblationPlan,
        *,
        metrics: Sequence[VideoMetric],
        fill: str,
        ring: int = 0,
    ) -> None:
        self._decode, self._data, self._part = decode, data, plan.part
        self._metrics, self._fill = tuple(metrics), fill
        self._rows = first_trials(data, plan.part, plan.trials_per_condition)
        self._candidates = data.mean_videos(None)
        seed = plan.seed + 7919 * ring
        self._filled = replacement(data, plan.part, self._rows, fill=fill, seed=seed)

    @torch.inference_mode()
    def score(self, mask: SiteMask, *, average_only: Sequence[str] = ()) -> MaskScores:
        """Decode all trials under a mask and score them.

        Parameters
        ----------
        average_only
            Metrics scored on the average over trials but not on single trials (dear ones).
        """
        stimuli = self._data.stimuli
        averages = Averages(self._candidates)
        single = [m for m in self._metrics if m.name not in average_only]
        values: dict[str, list[np.ndarray]] = {m.name: [] for m in single}
        masked = self._masked(torch.from_numpy(np.atleast_2d(mask.keep)))
        for video, batch in averages.over(lambda batch: self._decode(batch.spikes), masked):
            shown = Shown(video=batch.video, condition=batch.condition, candidates=self._candidates)
            for metric in single:
                values[metric.name].append(segment_scores(metric, video, shown, stimuli))
        mean, present = averages.decoded, averages.present
        shown = Shown(video=averages.shown, condition=present, candidates=self._candidates)
        by_trial = {name: np.concatenate(parts) for name, parts in values.items()}
        return MaskScores(
            mask=mask,
            fill=self._fill,
            **_by_condition(by_trial, averages.condition.numpy()),
            average={m.name: segment_scores(m, mean, shown, stimuli) for m in self._metrics},
            predicted=as_bytes(mean),
        )

    def _masked(self, keep: Tensor) -> Iterator[Batch]:
        start = 0
        for batch in batches_of(self._data, self._part, self._rows):
            filled = self._filled[start : start + len(batch.spikes)]
            yield batch._replace(spikes=torch.where(keep, batch.spikes, filled))
            start += len(batch.spikes)


def _by_condition(values: Mapping[str, np.ndarray], condition: np.ndarray) -> dict[str, Any]:
    """Mean over the defined trials of each condition present, and the share of the others."""
    single: dict[str, np.ndarray] = {}
    undefined: dict[str, np.ndarray] = {}
    present, place, n = np.unique(condition, return_inverse=True, return_counts=True)
    for name, value in values.items():
        defined = ~np.isnan(value)
        n_defined = np.bincount(place[defined], minlength=len(present))
        total = np.bincount(place[defined], weights=value[defined], minlength=len(present))
        single[name] = np.where(n_defined > 0, total / np.maximum(n_defined, 1), np.nan)
        undefined[name] = 1 - n_defined / n
    return {"single": single, "undefined": undefined}


def score_masks(
    run: Run,
    masks: Sequence[SiteMask],
    plan: AblationPlan,
    *,
    metrics: Sequence[VideoMetric],
    folder: Path,
) -> list[MaskScores]:
    """Score every mask under every fill; regions and groups with every ring of donors.

    Every mask is kept in ``folder`` as it is done, and read where it was done before by the same
    run, options and recording.

    Returns
    -------
    By fill, ring and mask, in the orders given.
    """
    assert run.checkpoint is not None, "not trained"
    identity = {
        "run": run.fingerprint.digest,
        "checkpoint": sha256([run.checkpoint]),
        "part": plan.part,
        "seed": plan.seed,
        "trials": plan.trials_per_condition,
        "metrics": [m.name for m in metrics],
        "donors": "whole conditions in a ring, a place on for each region",
    }
    scored: list[MaskScores] = []
    for fill, ring in ((f, r) for f in plan.fills for r in range(plan.rings(f))):
        scorer = MaskScorer(run.decode, run.data, plan, metrics=metrics, fill=fill, ring=ring)
        jobs = [m for m in masks if ring == 0 or m.family in _IN_RINGS]
        what = f"masking, fill {fill}" + (f", donors {ring + 1}" if ring else "")
        for mask in track(jobs, what, len(jobs), name=lambda mask: mask.name):
            few = mask.family in _FEW
            dear = () if few else plan.average_only
            here = identity | {"fill": fill, "ring": ring, "average_only": dear}
            path = folder / "masks" / fill / f"{_digest(here, mask.keep)[:20]}.npz"
            found = MaskScores.load(path, mask, fill=fill, video=few)
            if found is None:
                found = scorer.score(mask, average_only=dear).save(path, video=few)
            scored.append(replace(found, ring=ring))
    return scored


def _digest(identity: Mapping[str, object], keep: np.ndarray) -> str:
    """One for all masks that leave the same sites in, whatever their family."""
    text = json.dumps([identity, keep.shape], sort_keys=True)
    return hashlib.sha256(text.encode() + np.packbits(keep).tobytes()).hexdigest()
