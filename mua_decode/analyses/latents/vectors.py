"""The activity as points: sites, pseudo-trials, recorded trials, and their latents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mua_decode.analyses.latents.labels import (
    Units,
    Vectors,
    condition_labels,
    condition_unit,
    response_units,
    units_of,
)
from mua_decode.analyses.latents.responses import one_response, responses_of
from mua_decode.data import DecodingData
from mua_decode.data.independence import condition_groups
from mua_decode.data.recorded import SessionTrials, recorded_trials
from mua_decode.types import Recording, Stream

Encode = Callable[[Tensor], Tensor]
_BATCH = 64


def site_trial_vectors(
    data: DecodingData,
    recording: Recording,
    *,
    part: str = "test",
    max_points: int = 600,
    seed: int = 0,
) -> Vectors:
    """Spike-count vector (T,) of one site in one recorded trial, as published; standardised.

    Parameters
    ----------
    recording
        What ``data`` was built from; its trials tables know the response.
    max_points
        About so many pairs of site and trial are drawn at random, without replacement.

    Returns
    -------
    Vectors (n, T) labelled by region, the labels of the condition, and response where there is
    one.
    """
    tables: list[pd.DataFrame] = []
    blocks: list[np.ndarray] = []
    rng = Stream.LATENT_SITES.rng(seed)
    sessions = _sessions(data, part)
    total = sum(int(s.observed.sum()) for _, s in sessions)
    for name, s in sessions:
        trial, site = np.nonzero(s.observed)
        number = len(trial)
        if total > max_points:
            number = max(1, round(max_points * number / total))
        pick = rng.permutation(len(trial))[:number]
        trial, site = trial[pick], site[pick]
        blocks.append(s.values[trial, :, site])  # noqa: PD011
        table = _trial_labels(data, recording, name, part).iloc[trial].reset_index(drop=True)
        table["_trial"] = [f"{name} {row}" for row in trial]
        table["region"] = data.pool.sites.region[s.columns[site]]
        table["_site"] = s.columns[site]
        table["_session"] = name
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    labels = table.drop(columns=["_site", "_trial", "_condition", "_session"])
    trial_of = np.unique(table["_trial"], return_inverse=True)[1]
    session = np.unique(table["_session"], return_inverse=True)[1]
    units = units_of(
        labels, table["_condition"].to_numpy(), trial_of, session, groups=condition_groups(data)
    )
    units["region"] = Units("sites", table["_site"].to_numpy(), session, "sessions")
    labels = labels[["region", *labels.columns.drop("region")]]
    points, space = np.concatenate(blocks), "one site in one trial"
    return Vectors(points, labels, units, space, "recorded_trial", _part(data, part))


def population_vectors(
    data: DecodingData,
    recording: Recording | None = None,
    *,
    part: str = "test",
    max_points: int = 600,
    seed: int = 0,
    encode: Encode | None = None,
) -> Vectors:
    """Pseudo-trials as points, (n, T·N), or their latents (n, D).

    Parameters
    ----------
    recording
        What ``data`` was built from. Where its trials tables know the response, every pseudo-trial
        is put together anew of recorded trials of one response (``one_response``) and labelled
        by it; ``None``: as ``data`` drew them, without a response.
    encode
        Takes standardised activity (B, T, N), returns latents (B, D): ``model.encode`` of a model
        in evaluation mode, with its parameters on the CPU.
    max_points
        At most so many pseudo-trials, equally many per condition.

    Returns
    -------
    Vectors labelled by the labels of the condition, and by the response. Pseudo-trials of one
    condition share recorded trials, so it is the unit of its labels; the response is not tested
    (:func:`response_units`).
    """
    pseudo = data.pseudo_trials(part)
    rng = Stream.LATENT_POPULATION.rng(seed)
    rows = _balanced(pseudo.condition, max_points, rng)
    drawn = None if recording is None else one_response(data, recording, part, rows, seed=seed)
    chosen, response = (pseudo.select(rows), None) if drawn is None else drawn
    activity = data.standardise.trials(chosen, np.arange(len(chosen)))
    condition = chosen.condition
    labels = condition_labels(data.stimuli).iloc[condition].reset_index(drop=True)
    groups = condition_groups(data)
    units = {str(c): condition_unit(labels[c], condition, groups) for c in labels.columns}
    if response is not None:
        labels["response"] = response
        units["response"] = response_units(condition, response)
    space = "pseudo-trials" if encode is None else "latents of pseudo-trials"
    points = _encoded(activity, encode)
    return Vectors(points, labels, units, space, "pseudo_trial", _part(data, part))


def session_vectors(
    data: DecodingData,
    recording: Recording,
    *,
    part: str = "test",
    max_points: int = 600,
    seed: int = 0,
) -> Vectors:
    """Recorded trials of the session with most sites in the population.

    Each has a response of its own; ``recording`` is what ``data`` was built from, and its
    trials table knows the response.

    Returns
    -------
    Vectors (n, T·n_sites); trials in which a site of the session was not recorded are left out
    where others remain, else their missing sites are at the mean.
    """
    name, s = max(_sessions(data, part), key=lambda pair: len(pair[1].columns))
    whole = np.flatnonzero(s.observed.all(axis=1))
    usable = whole if len(whole) >= 2 else np.arange(len(s.values))
    rng = Stream.LATENT_SESSION.rng(seed)
    rows = usable[_balanced(s.condition[usable], max_points, rng)]
    table = _trial_labels(data, recording, name, part).iloc[rows].reset_index(drop=True)
    labels = table.drop(columns="_condition")
    groups = condition_groups(data)
    units = units_of(labels, table["_condition"].to_numpy(), rows, groups=groups)
    points, space = s.values[rows].reshape(len(rows), -1), f"trials of {name}"  # noqa: PD011
    return Vectors(points, labels, units, space, "recorded_trial", _part(data, part))


def _part(data: DecodingData, part: str) -> str:
    return data.leaks.label(part)


def _encoded(activity: np.ndarray, encode: Encode | None) -> np.ndarray:
    if encode is None:
        return activity.reshape(len(activity), -1)
    with torch.no_grad():
        parts = [
            encode(torch.from_numpy(activity[i : i + _BATCH])).flatten(1).cpu().float().numpy()
            for i in range(0, len(activity), _BATCH)
        ]
    return np.concatenate(parts)


def _sessions(data: DecodingData, part: str) -> list[tuple[str, SessionTrials]]:
    found = list(recorded_trials(data, part))
    return [(str(data.pool.sites.session[s.columns[0]]), s) for s in found if len(s.values)]


def _trial_labels(
    data: DecodingData, recording: Recording, session: str, part: str
) -> pd.DataFrame:
    """Labels of a session's trials in a part, with their condition in ``_condition``."""
    rows = data.split.trials[part][session]
    trials = recording.select_sessions([session]).sessions[0].trials.iloc[rows]
    condition = trials["condition"].to_numpy(np.int64)
    labels = condition_labels(data.stimuli).iloc[condition].reset_index(drop=True)
    response = responses_of(trials)
    if response is not None:
        labels["response"] = response
    return labels.assign(_condition=condition)


def _balanced(condition: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of at most ``number`` trials, equally many per condition as far as there are."""
    if len(condition) <= number:
        return np.arange(len(condition))
    order = rng.permutation(len(condition))
    rank = pd.Series(condition[order]).groupby(condition[order]).cumcount().to_numpy()
    return np.sort(order[np.argsort(rank, kind="stable")[:number]])
