"""A finished run, ready to decode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from mua_decode.api.results import DecodedTrials, Reconstruction
from mua_decode.data import DecodingData, NewTrials
from mua_decode.runs.decode import decode_trials
from mua_decode.runs.run import SCORED, Run
from mua_decode.scoring.stream import decode_stream
from mua_decode.types import PARTS, InputError, Recording, composed, nearest_name

Asked = str | int | Sequence[str | int] | None


class Decoder:
    """A trained run, made by :func:`load_run`; ``batch_size`` trials are decoded at a time.

    Counts go in as they were counted: each site is standardised with the mean and standard
    deviation of the run's training trials.

    Attributes
    ----------
    population
        Sites, bins, frames and standardisation of the run.
    network
        Maps standardised counts (B, T, N) to video (B, C, T, H, W) in [0, 1].
    sites
        The N sites in the order of the network's input.
    n_bins
        Bins, and frames, per trial, T.
    bin_s, window_s
        Step and width of the counting window in seconds; a step is the length of a frame.
    frame_shape
        (C, H, W) of a decoded frame.
    stimuli
        Names of the K conditions of the run.
    segments
        Named stretches of frames.
    """

    def __init__(self, run: Run) -> None:
        # Read at once, so that a damaged run shows here.
        self._run, self.population, self.network = run, run.population, run.network
        about = self.population
        self.sites, self.stimuli, self.segments = about.sites, about.conditions, about.segments
        self.n_bins, self.bin_s, self.window_s = about.n_bins, about.bin_s, about.window_s
        self.frame_shape = about.frame_shape

    def __repr__(self) -> str:
        c, h, w = self.frame_shape
        return (
            f"Decoder({str(self._run.folder.path)!r}: {len(self.sites)} sites, {self.n_bins} "
            f"bins of {self.bin_s:g} s -> {self.n_bins} frames of {c} x {h} x {w})"
        )

    @property
    def data(self) -> DecodingData:
        """Split, population and pseudo-trials of the run; rebuilt when first asked for."""
        return self._run.data

    def decode(self, counts: np.ndarray, *, batch_size: int = 32) -> np.ndarray:
        """Decode recorded counts.

        Parameters
        ----------
        counts
            (B, T, N): trials, bins of ``bin_s`` seconds, sites in the order of ``sites``. NaN
            where a site was not recorded; it then stands at its training mean.

        Returns
        -------
        float32 (B, C, T, H, W) in [0, 1].

        Raises
        ------
        InputError
            If the shape is another, or a value is infinite or a negative count.
        """
        given = np.asarray(counts)
        if given.ndim == 3 and not len(given):
            channels, *size = self.frame_shape
            return np.zeros((0, channels, self.n_bins, *size), np.float32)
        return self._decode(self.population.activity(given), batch_size)

    def decode_recording(
        self,
        recording: Recording,
        *,
        trials: str = "recorded",
        least_share: float = 0.5,
        batch_size: int = 32,
    ) -> DecodedTrials:
        """Decode the trials of a recording; sites are matched by id and counted as in the run.

        All videos are held in memory; ``mua-decode decode`` writes them as they come.

        Parameters
        ----------
        recording
            With spike times, or counts that the run's window can be put together from.
        trials, least_share
            See :class:`mua_decode.data.NewTrials`.

        Raises
        ------
        InputError
            If too few sites match or bins do not fit the run's.
        """
        found = NewTrials(self.population, recording, trials=trials, least_share=least_share)
        videos = list(decode_trials(self._run, found, batch_size=batch_size))
        return DecodedTrials(np.concatenate(videos), found.table, found.match)

    def reconstruct(
        self,
        condition: Asked = None,
        *,
        part: str = "test",
        limit: int | None = None,
        without: Sequence[str] = (),
        batch_size: int = 32,
    ) -> Reconstruction:
        """Decode trials of the run's own recording, which is read again when first asked for.

        Parameters
        ----------
        condition
            Names or numbers of conditions; ``None``: all.
        part
            ``train``, ``val`` or ``test``; the pseudo-trials the run was scored on.
        limit
            At most so many trials of each condition; ``None``: all.
        without
            Regions that stand at their training mean. A look, not a test: ``mua-decode ablate``
            asks what a region contributes.

        Raises
        ------
        InputError
            If a name is wrong, the part is empty, or the recording cannot be read.
        """
        if part not in PARTS:
            raise InputError(f"part={part}: choose from {', '.join(PARTS)}")
        masked = self.sites.in_regions(list(without))
        dataset = self.data.dataset(part)
        rows = self._rows(dataset.pseudo.condition, condition, limit)
        if not len(rows):
            raise InputError(f"part={part}: holds no trial of the conditions asked for")
        batches = [
            dataset.__getitems__(rows[i : i + batch_size].tolist())
            for i in range(0, len(rows), batch_size)
        ]
        spikes = torch.cat([b.spikes for b in batches])
        spikes[:, :, torch.from_numpy(masked)] = 0
        chosen = dataset.pseudo.condition[rows]
        return Reconstruction(
            true=torch.cat([b.video for b in batches]).numpy(),
            decoded=self._decode(spikes.numpy(), batch_size),
            condition=chosen,
            names=tuple(self.stimuli[k] for k in chosen),
            segments=self.segments,
            frame_s=self.bin_s,
        )

    def _decode(self, activity: np.ndarray, batch_size: int) -> np.ndarray:
        if batch_size < 1:
            raise InputError(f"batch_size: expected >= 1, found {batch_size}")
        spikes: Iterator[torch.Tensor] = iter(torch.from_numpy(activity).split(batch_size))
        videos = decode_stream(self.network, spikes, batch_size=batch_size, device=self._run.device)
        return np.asarray(torch.cat(list(videos)).float().clamp(0, 1).numpy())

    def _rows(self, conditions: np.ndarray, asked: Asked, limit: int | None) -> np.ndarray:
        given = [asked] if isinstance(asked, str | int) else asked
        numbers = range(len(self.stimuli)) if given is None else [self._number(g) for g in given]
        rows = [np.flatnonzero(conditions == k)[:limit] for k in numbers]
        return np.concatenate(rows) if rows else np.zeros(0, int)

    def _number(self, condition: str | int) -> int:
        if isinstance(condition, str):
            if composed(condition) in self.stimuli:
                return self.stimuli.index(composed(condition))
        elif 0 <= condition < len(self.stimuli):
            return int(condition)
        raise InputError(
            f"condition {condition!r} is not one of this run's {len(self.stimuli)}"
            f"{nearest_name(condition, self.stimuli)}"
        )


def load_run(
    run_dir: str | Path,
    *,
    checkpoint: str = SCORED,
    device: str = "auto",
    recording: Recording | None = None,
    overrides: Sequence[str] = (),
    trusted: Sequence[str] = (),
) -> Decoder:
    """Open a finished run to decode with it.

    The recording of the run is not needed to decode new counts, only for
    :meth:`Decoder.reconstruct`. Nothing in the folder can run code.

    Parameters
    ----------
    checkpoint
        ``best`` (by validation loss), ``last``, or ``scored``: the one that the run was scored
        with (its option ``weights``).
    device
        ``auto``, ``cpu`` or ``cuda``.
    recording
        The run's recording, where it is at hand already.
    overrides
        Changes of the run's own config, such as ``recording.root=/new/place``.
    trusted
        Packages of your own that the run's config may name.

    Raises
    ------
    InputError
        If there is no run or no checkpoint, or a file of the run is damaged.

    Examples
    --------
    >>> decoder = mua_decode.load_run("runs/first")
    >>> video = decoder.decode(counts)  # (B, T, N) -> (B, C, T, H, W)
    """
    run = Run.open(
        run_dir,
        checkpoint=checkpoint,
        device=device,
        overrides=overrides,
        trusted=trusted,
        recording=recording,
    )
    return Decoder(run)
