"""From a recording to batches: windows, split, population, standardisation, loaders.

What trains is imported when it is first asked for: torch and Lightning take seconds, and a
recording is looked at without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mua_decode.data.audit import LeakAudit, LeakError, audit_leakage
from mua_decode.data.film import Cut, cut_film, cut_videos, shift_responses
from mua_decode.data.pooling import AtMost, PseudoTrialPlan
from mua_decode.data.split_plan import SplitPlan
from mua_decode.data.splitting import split_recording
from mua_decode.data.standardise import Standardiser
from mua_decode.data.videos import FramePlan, pairing
from mua_decode.data.windows import Window, WindowedSession, frame_of_bin, window_session

if TYPE_CHECKING:
    from mua_decode.data.datamodule import DecodingData
    from mua_decode.data.dataset import Batch, EpochSampler, PseudoTrialDataset
    from mua_decode.data.new_trials import NewTrials, SiteMatch, match_sites
    from mua_decode.data.population import Population, read_population
    from mua_decode.data.resident import ResidentLoader

_LATER = {
    "DecodingData": "datamodule",
    **dict.fromkeys(("Batch", "EpochSampler", "PseudoTrialDataset"), "dataset"),
    **dict.fromkeys(("NewTrials", "SiteMatch", "match_sites"), "new_trials"),
    **dict.fromkeys(("Population", "read_population"), "population"),
    "ResidentLoader": "resident",
}

__all__ = [
    "AtMost",
    "Batch",
    "Cut",
    "DecodingData",
    "EpochSampler",
    "FramePlan",
    "LeakAudit",
    "LeakError",
    "NewTrials",
    "Population",
    "PseudoTrialDataset",
    "PseudoTrialPlan",
    "ResidentLoader",
    "SiteMatch",
    "SplitPlan",
    "Standardiser",
    "Window",
    "WindowedSession",
    "audit_leakage",
    "cut_film",
    "cut_videos",
    "frame_of_bin",
    "match_sites",
    "pairing",
    "read_population",
    "shift_responses",
    "split_recording",
    "window_session",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
