"""Names of the streams of randomness that grow from one seed."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream of random numbers is for; its value follows the seed in the entropy.

    Values that stand twice belong to draws that never meet: a simulator's and an analysis', say.
    """

    LATENT_SITES = 0
    LATENT_POPULATION = 1
    LATENT_SESSION = 2
    LATENT_SILHOUETTES = 4
    SIMILARITY_RECORDED = 0
    SIMILARITY_PSEUDO = 1
    SITES = 3
    EPOCH_ORDER = 5
    POOLED_SPLIT = 7
    PSEUDO_TRIALS = 11
    VIDEO_VARIANTS = 13
    TRAINING_NOISE = 17
    SPLIT = 19
    DONORS = 23
    ENCODING_SCORES = 23
    HELD_OUT = 29
    EQUAL_SITES = 29
    SHAPLEY = 31
    SWEEP_TRIALS = 31
    NOISE_INPUTS = 31
    ABLATION_TESTS = 37
    NOISE_VIDEOS = 37
    SURROGATE = 41
    CONDITION_PERMUTATION = 41
    CURVE_SESSIONS = 41
    SEED_INTERVALS = 43
    NOISE_PAIRINGS = 43
    SIMULATED_ANSWERS = 47
    GAUSSIAN_VIDEOS = 53
    LATENT_RESPONSES = 59
    COVERAGE = 61

    def rng(self, seed: int, *more: int) -> np.random.Generator:
        """Generator of this stream; ``more`` tells parts of it apart (an epoch, a draw)."""
        return np.random.default_rng([seed, int(self), *more])
