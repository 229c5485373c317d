"""A config -> the recording it names, and what is to be said of it before anything is trained."""

from __future__ import annotations

from omegaconf import DictConfig, open_dict

from mua_decode.data import FramePlan, pairing
from mua_decode.runs.instantiate import instantiate
from mua_decode.runs.progress import working
from mua_decode.types import InputError, Recording


def build_recording(cfg: DictConfig) -> Recording:
    """Read or simulate the recording the config names."""
    with working("reading the recording"):
        found = instantiate(cfg.recording, trusted=cfg.get("trusted", ()))
    if not isinstance(found, Recording):
        raise InputError(f"recording: {cfg.recording.get('_target_')} returns no Recording")
    return found


def build_unseen(cfg: DictConfig) -> Recording:
    """Read a recording of which neither the conditions nor the videos have to be known.

    Where its reader cannot do without, all trials show the same, and blank pictures stand in.
    """
    try:
        return build_recording(cfg)
    except InputError:
        options = cfg.recording
        if not {"condition", "videos"} <= set(options) or options.get("stimuli") is not None:
            raise
        own = cfg.copy()
        with open_dict(own):
            if own.recording.condition is None:
                own.recording.condition = []
            if not (own.recording.videos.get("folder") or own.recording.videos.get("series")):
                own.recording.videos.stand_in = "blank"
        return build_recording(own)


def pairing_notes(recording: Recording, cfg: DictConfig) -> list[str]:
    """What will be said of frames and bins when a recording is trained on with these options."""
    data, trusted = cfg.data, cfg.get("trusted") or ()
    window = None if data.window is None else instantiate(data.window, trusted=trusted)
    try:
        return pairing(recording, window, FramePlan(frames=data.frames, lag_s=data.lag_s))
    except InputError as error:
        return [f"with the options of data as they are it cannot be trained on: {error}"]
