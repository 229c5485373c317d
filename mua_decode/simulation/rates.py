"""The expected rate of every site in every condition, from its tuning and its time course.

Tables of sites are rows of :func:`mua_decode.simulation.tuning.plant_sites`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mua_decode.simulation.regions import RegionParameters
from mua_decode.simulation.tuning import TuningParameters, von_mises
from mua_decode.types import InputError, StimulusSet


def time_course(
    time_s: np.ndarray,
    *,
    onset_s: float,
    offset_s: float,
    latency_s: np.ndarray,
    rise_s: float,
    transient_s: np.ndarray,
    sustained: np.ndarray,
    linger: float,
) -> np.ndarray:
    """Response over time (T, N) to something shown from ``onset_s`` to ``offset_s``.

    It starts a latency after the onset, peaks near 1, decays to the sustained level, and after the
    offset falls with the transient's time constant to ``linger`` of what it was. Times (T,), onset
    and offset are seconds from the start of the trial; latency, time constant of the transient and
    sustained level are (N,), one value per site. ``rise_s`` is the rise time constant, ``linger``
    the share, 0..1, that stays for the rest of the trial.
    """
    since = np.maximum(time_s[:, None] - onset_s - latency_s, 0)
    past = np.maximum(time_s[:, None] - offset_s - latency_s, 0)
    decay = sustained + (1 - sustained) * np.exp(-since / transient_s)
    after = linger + (1 - linger) * np.exp(-past / transient_s)
    return np.asarray((1 - np.exp(-since / rise_s)) * decay * after)


def feature_drive(
    sites: pd.DataFrame, *, tuning: TuningParameters, conditions: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Tuned part of the response at its peak, in baselines: to the cue, and to the stimulus.

    Both are (K, N), the latter is the sum of colour's and direction's part. Conditions need
    columns ``cue``, ``hue_deg``, ``direction_deg``.
    """
    responses = {c: sites[f"response_{c}"].to_numpy() for c in dict.fromkeys(conditions["cue"])}
    centre = np.mean(list(responses.values()), axis=0)
    cue = np.stack([responses[c] - centre for c in conditions["cue"]])
    hue = conditions["hue_deg"].to_numpy()[:, None] - sites["preferred_hue_deg"].to_numpy()
    direction = conditions["direction_deg"].to_numpy()[:, None]
    angle = direction - sites["preferred_direction_deg"].to_numpy()
    colour = von_mises(hue, kappa=tuning.hue_kappa) * sites["weight_colour"].to_numpy()
    motion = von_mises(angle, kappa=tuning.direction_kappa) * sites["weight_direction"].to_numpy()
    return cue * sites["weight_cue"].to_numpy(), colour + motion


def mean_rates(
    sites: pd.DataFrame,
    *,
    regions: Mapping[str, RegionParameters],
    tuning: TuningParameters,
    stimuli: StimulusSet,
    time_s: np.ndarray,
) -> np.ndarray:
    """Expected rate of every site in every condition before trial-to-trial noise.

    Float32 (K, T, N), spikes per second. Cue, colour and direction add up; colour and direction act
    from stimulus onset, the cue from cue onset, and both onsets have an untuned transient besides.
    Rates are cut off at 0. The conditions table needs ``cue``, ``hue_deg`` and ``direction_deg``,
    the segments one named ``cue`` and one named ``stimulus``; times (T,) are seconds from the start
    of the trial.
    """
    segments = {s.name: s for s in stimuli.segments}
    missing = [name for name in ("cue", "stimulus") if name not in segments]
    if missing:
        found = ", ".join(segments)
        raise InputError(f"population: stimuli have no segment '{missing[0]}'; found: {found}")
    of_site = [regions[name] for name in sites["region"]]
    transient = np.array([r.transient_s for r in of_site])
    sustained = np.array([r.sustained for r in of_site])
    onset = np.array([r.onset for r in of_site])
    latency = sites["latency_s"].to_numpy()
    drives = feature_drive(sites, tuning=tuning, conditions=stimuli.conditions)
    lingers = (tuning.cue_linger, 0.0)
    total = np.zeros((stimuli.n_conditions, len(time_s), len(sites)))
    for name, drive, linger in zip(("cue", "stimulus"), drives, lingers, strict=True):
        for strength, level, left in ((drive, sustained, linger), (onset, 0 * sustained, 0.0)):
            course = time_course(
                time_s,
                onset_s=segments[name].start * stimuli.frame_s,
                offset_s=segments[name].stop * stimuli.frame_s,
                latency_s=latency,
                rise_s=tuning.rise_s,
                transient_s=transient,
                sustained=level,
                linger=left,
            )
            total += np.atleast_2d(strength)[:, None] * course
    rate = sites["baseline_hz"].to_numpy() * np.maximum(1 + total, 0)
    return np.asarray(rate, dtype=np.float32)
