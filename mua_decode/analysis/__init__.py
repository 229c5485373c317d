"""Questions asked of a trained decoder; every answer is a result table."""

from mua_decode.analysis.evaluation import Evaluation, evaluate_decoder
from mua_decode.analysis.summary import flat_metrics

__all__ = ["Evaluation", "evaluate_decoder", "flat_metrics"]
