"""Pseudo-trials put together of recorded trials in which the animal answered alike."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mua_decode.analyses.latents.labels import MIXED, as_text
from mua_decode.data import DecodingData
from mua_decode.types import PseudoTrials, Recording, Stream


def responses_of(trials: pd.DataFrame) -> np.ndarray | None:
    """Text of the response in every row of a trials table, None where it has none."""
    if "response" not in trials.columns:
        return None
    return np.asarray(trials["response"].map(as_text).to_numpy(), object)


def one_response(
    data: DecodingData, recording: Recording, part: str, rows: np.ndarray, *, seed: int
) -> tuple[PseudoTrials, np.ndarray] | None:
    """Draw pseudo-trials of a part anew, all sites of each in trials of one response.

    The response of a pseudo-trial is that of one of its sites, drawn at random; every site then
    draws a recorded trial of the same part, condition and response. Where a site has none, another
    response of those trials is tried, so that answers which some session never gave in a condition
    are rarer than in the recorded trials; a pseudo-trial without a common response stays as it
    was, labelled ``MIXED``.

    Parameters
    ----------
    rows
        int (n,): which pseudo-trials of the part.

    Returns
    -------
    The n pseudo-trials and their responses, text (n,); None where a session of the population has
    no responses, or every pseudo-trial draws its own sites.
    """
    answered = None if data.random_sites else _responses(data, recording)
    if answered is None:
        return None
    pseudo, rng = data.pseudo_trials(part).select(rows), Stream.LATENT_RESPONSES.rng(seed)
    usable = _usable(data, part)
    source, labels = pseudo.source_trial.copy(), np.full(len(pseudo), MIXED, object)
    columns = np.arange(source.shape[1])
    candidates: dict[tuple[int, str], list[np.ndarray]] = {}
    for p, k in enumerate(pseudo.condition.tolist()):
        own = rng.permutation(answered[source[p], columns])
        for response in dict.fromkeys(own.tolist()):
            key = (k, response)
            if key not in candidates:
                fits = usable & (data.pool.condition == k) & (answered == response)
                candidates[key] = [np.flatnonzero(column) for column in fits.T]
            if all(len(c) for c in candidates[key]):
                source[p] = [rng.choice(c) for c in candidates[key]]
                labels[p] = response
                break
    return PseudoTrials(pseudo.pool, pseudo.condition, source, pseudo.video), labels


def _responses(data: DecodingData, recording: Recording) -> np.ndarray | None:
    """Response (R, N) of every trial of every site's session, "" past its last trial."""
    found = np.full(data.pool.condition.shape, "", object)
    for name in dict.fromkeys(data.pool.sites.session.tolist()):
        response = responses_of(recording.select_sessions([name]).sessions[0].trials)
        if response is None:
            return None
        found[: len(response), data.pool.sites.session == name] = response[:, None]
    return found


def _usable(data: DecodingData, part: str) -> np.ndarray:
    """Whether a site was recorded in a trial that belongs to the part, bool (R, N)."""
    inside = np.zeros(data.pool.observed.shape, bool)
    for name, rows in data.split.trials[part].items():
        columns = np.flatnonzero(data.pool.sites.session == name)
        inside[np.ix_(rows, columns)] = data.pool.observed[np.ix_(rows, columns)]
    return inside
