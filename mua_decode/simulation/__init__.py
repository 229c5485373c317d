"""The simulated experiment: the task's videos and a population of sites that watches them.

Every class of parameters refuses what it cannot use with an InputError that names it: a value out
of range, an unknown or repeated name, a list that is empty or of the wrong length.
"""

from mua_decode.simulation.answers import answer_images, can_answer
from mua_decode.simulation.behaviour import BehaviourParameters
from mua_decode.simulation.dots import DotParameters
from mua_decode.simulation.experiment import simulate
from mua_decode.simulation.film import FilmParameters, simulate_film
from mua_decode.simulation.imagery import ImageryParameters, simulate_imagery
from mua_decode.simulation.imagery_sites import SiteKinds
from mua_decode.simulation.noise import NoiseParameters
from mua_decode.simulation.outlines import CueParameters
from mua_decode.simulation.palette import Palette
from mua_decode.simulation.population import PopulationParameters, simulate_sessions
from mua_decode.simulation.regions import RegionParameters
from mua_decode.simulation.stimulus import (
    FrameParameters,
    StimulusParameters,
    TrialTiming,
    render_stimuli,
)
from mua_decode.simulation.surrogate import noise_surrogate
from mua_decode.simulation.tuning import TuningParameters

__all__ = [
    "BehaviourParameters",
    "CueParameters",
    "DotParameters",
    "FilmParameters",
    "FrameParameters",
    "ImageryParameters",
    "NoiseParameters",
    "Palette",
    "PopulationParameters",
    "RegionParameters",
    "SiteKinds",
    "StimulusParameters",
    "TrialTiming",
    "TuningParameters",
    "answer_images",
    "can_answer",
    "noise_surrogate",
    "render_stimuli",
    "simulate",
    "simulate_film",
    "simulate_imagery",
    "simulate_sessions",
]
