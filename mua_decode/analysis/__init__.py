"""Questions asked of a trained decoder; every answer is a result table."""

from mua_decode.analysis.bands import Band, read_bands, window_note
from mua_decode.analysis.encoding import EncodingScores, EncodingSettings, score_encoding
from mua_decode.analysis.evaluation import Evaluation, evaluate_decoder, not_applicable
from mua_decode.analysis.labelled import Units, Vectors, condition_labels
from mua_decode.analysis.latents import Embedding, Separation, embed, separation
from mua_decode.analysis.similarity import similarity
from mua_decode.analysis.summary import flat_metrics
from mua_decode.analysis.vectors import (
    population_vectors,
    session_vectors,
    site_trial_vectors,
    site_vectors,
)

__all__ = [
    "Band",
    "Embedding",
    "EncodingScores",
    "EncodingSettings",
    "Evaluation",
    "Separation",
    "Units",
    "Vectors",
    "condition_labels",
    "embed",
    "evaluate_decoder",
    "flat_metrics",
    "not_applicable",
    "population_vectors",
    "read_bands",
    "score_encoding",
    "separation",
    "session_vectors",
    "similarity",
    "site_trial_vectors",
    "site_vectors",
    "window_note",
]
