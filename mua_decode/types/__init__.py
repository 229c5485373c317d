"""The few things that flow through the house: frozen, validated, with documented shapes.

Axis letters: B batch, T bins or frames, N sites, C channels, H height, W width; K conditions,
V videos, P pseudo-trials, R recorded trials. Times in seconds, angles in degrees
counter-clockwise from rightward.
"""

from mua_decode.types.errors import InputError, masked, nearest_name, printable
from mua_decode.types.hypotheses import HYPOTHESIS_COLUMNS, HypothesisTable, Question
from mua_decode.types.leaks import LeakState
from mua_decode.types.masks import SiteMask, only, region_of
from mua_decode.types.names import all_composed, composed
from mua_decode.types.pseudo import PseudoTrials, TrialPool
from mua_decode.types.recording import STAND_IN, STORED_PART, Recording, Session, SpikeTimes
from mua_decode.types.results import (
    COLUMNS,
    EXACT,
    N_UNIT,
    ResultTable,
    read_table,
    units_named,
    whole,
)
from mua_decode.types.sites import SiteTable
from mua_decode.types.split import PARTS, Split
from mua_decode.types.stimuli import Segment, StimulusSet
from mua_decode.types.streams import Stream

__all__ = [
    "COLUMNS",
    "EXACT",
    "HYPOTHESIS_COLUMNS",
    "N_UNIT",
    "PARTS",
    "STAND_IN",
    "STORED_PART",
    "HypothesisTable",
    "InputError",
    "LeakState",
    "PseudoTrials",
    "Question",
    "Recording",
    "ResultTable",
    "Segment",
    "Session",
    "SiteMask",
    "SiteTable",
    "SpikeTimes",
    "Split",
    "StimulusSet",
    "Stream",
    "TrialPool",
    "all_composed",
    "composed",
    "masked",
    "nearest_name",
    "only",
    "printable",
    "read_table",
    "region_of",
    "units_named",
    "whole",
]
