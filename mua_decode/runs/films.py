"""Films for the page of a run that kept none: its test trials decoded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from mua_decode.report import Films, within_budget
from mua_decode.runs.progress import console, working
from mua_decode.runs.run import Run
from mua_decode.scoring.averages import as_bytes
from mua_decode.types import InputError


def decode_films(
    folder: Path, *, overrides: Iterable[str] = (), trusted: Sequence[str] = ()
) -> None:
    """Decode one test trial of each condition with a finished run and keep the films.

    Says so in a line where that cannot be done: no weights, or the recording is away.
    """
    try:
        run = Run.open(folder, overrides=overrides, trusted=trusted)
        with working("decoding a trial of each condition"):
            films = _one_each(run)
    except (InputError, OSError) as error:
        console.print(f"note: no films: {error}", highlight=False, soft_wrap=True)
        return
    films.save(run.folder.films)


@torch.inference_mode()
def _one_each(run: Run) -> Films:
    data, part = run.data, run.scored_part
    conditions, first = np.unique(data.dataset(part).pseudo.condition, return_index=True)
    rows = within_budget(len(first), int(np.prod((data.n_bins, *data.frame_shape))))
    batch = data.dataset(part).__getitems__(first[rows].tolist())
    size = data.batch_size
    decoded = torch.cat([run.decode(s).cpu() for s in batch.spikes.split(size)])
    videos = {"true, one trial": batch.video, "decoded, one trial": decoded}
    return Films(
        {name: as_bytes(v.transpose(1, 2)) for name, v in videos.items()},
        [data.stimuli.names[k] for k in conditions[rows]],
        data.stimuli.segments,
        data.stimuli.frame_s,
        caption=f"One trial of each condition, {part} part.",
    )
