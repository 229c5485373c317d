"""Test trials of a film, decoded by the network and the floors, and laid out along the film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mua_decode.data import DecodingData
from mua_decode.data.blocks import Stretches
from mua_decode.scoring.averages import Predict, batches_of, first_trials


@dataclass(frozen=True, eq=False)
class Decoded:
    """What one decoder made of the test part.

    Parameters
    ----------
    conditions
        int (Q,): stretches of the part, in order of film and time.
    true
        float (Q, C, T, H, W) in [0, 1].
    trials
        float (J, Q, C, T, H, W): trial j of every stretch. Where every stretch has the same
        repeats, trial j is the same repeat in all of them.
    """

    conditions: np.ndarray
    true: Tensor
    trials: Tensor

    @property
    def average(self) -> Tensor:
        """Decoded video of every stretch, averaged over its trials, (Q, C, T, H, W)."""
        return self.trials.mean(0)

    def select(self, places: np.ndarray) -> Decoded:
        """The stretches at ``places`` of ``conditions``."""
        return Decoded(self.conditions[places], self.true[places], self.trials[:, places])


@torch.inference_mode()
def decode_part(
    data: DecodingData, part: str, predictors: Mapping[str, Predict], per_condition: int | None
) -> dict[str, Decoded]:
    """Decode as many trials of every stretch as all of them have, at most ``per_condition``."""
    rows = first_trials(data, part, per_condition)
    pseudo = data.dataset(part).pseudo
    source = pseudo.source_trial[rows, 0]
    repeat = pseudo.pool.presentation[source, np.atleast_2d(pseudo.sites(rows))[..., 0]]
    condition = pseudo.condition[rows]
    films = Stretches.of(data.stimuli)
    present = np.unique(condition)
    present = present[np.lexsort((films.start_s[present], films.film[present]))]
    chains = [
        rows[condition == k][np.argsort(repeat[condition == k], kind="stable")] for k in present
    ]
    n = min(map(len, chains))
    order = np.stack([c[:n] for c in chains], 1)  # (J, Q)
    found = {}
    true = data.mean_videos(part)[torch.from_numpy(present)].float()
    for name, predict in predictors.items():
        videos = [predict(b).cpu().float() for b in batches_of(data, part, order.ravel())]
        shape = (*order.shape, *true.shape[1:])
        found[name] = Decoded(present, true, torch.cat(videos).reshape(shape))
    return found
