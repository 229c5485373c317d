"""From a recording to batches: windows, split, population, standardisation, loaders."""

from mua_decode.data.audit import LeakAudit, LeakError, audit_leakage
from mua_decode.data.datamodule import DecodingData
from mua_decode.data.dataset import Batch, EpochSampler, PseudoTrialDataset
from mua_decode.data.film import Cut, cut_film, cut_videos, shift_responses
from mua_decode.data.new_trials import NewTrials, SiteMatch, match_sites
from mua_decode.data.pooling import AtMost, PseudoTrialPlan
from mua_decode.data.population import Population, read_population
from mua_decode.data.resident import ResidentLoader
from mua_decode.data.split_plan import SplitPlan
from mua_decode.data.splitting import split_recording
from mua_decode.data.standardise import Standardiser
from mua_decode.data.videos import FramePlan, pairing
from mua_decode.data.windows import Window, WindowedSession, frame_of_bin, window_session

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
