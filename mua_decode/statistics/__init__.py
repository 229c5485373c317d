"""Tests, intervals, null distributions and corrections; every p-value says what it is.

A test returns a :class:`mua_decode.types.HypothesisTable` of one row, into which it copies the
:class:`mua_decode.types.Question` asked; stack rows with ``concat`` and correct them together
with :func:`correct`.
"""

from mua_decode.statistics.bootstrap import (
    cluster_bootstrap,
    crossed_bootstrap,
    median_interval,
    share,
)
from mua_decode.statistics.chance import (
    gaussian_input_null,
    label_permutation,
    noise_comparison,
    row_means,
)
from mua_decode.statistics.circular import folded_error, paired_circular, v_test
from mua_decode.statistics.comparison import paired_t, unpaired_t
from mua_decode.statistics.correction import CORRECTIONS, adjust, correct
from mua_decode.statistics.intervals import Interval, NoInterval
from mua_decode.statistics.means import interval_columns, unit_interval, unit_t
from mua_decode.statistics.mixed import MixedQuestion, mixed_mean, mixed_view
from mua_decode.statistics.permutation import (
    PermutationNull,
    out_of_reach,
    permutation_null,
    rank_p,
    smallest_p,
)
from mua_decode.statistics.pooled import jackknife_interval, pooled_interval
from mua_decode.statistics.reach import corrected_reach, with_reach
from mua_decode.statistics.units import Units

__all__ = [
    "CORRECTIONS",
    "Interval",
    "MixedQuestion",
    "NoInterval",
    "PermutationNull",
    "Units",
    "adjust",
    "cluster_bootstrap",
    "correct",
    "corrected_reach",
    "crossed_bootstrap",
    "folded_error",
    "gaussian_input_null",
    "interval_columns",
    "jackknife_interval",
    "label_permutation",
    "median_interval",
    "mixed_mean",
    "mixed_view",
    "noise_comparison",
    "out_of_reach",
    "paired_circular",
    "paired_t",
    "permutation_null",
    "pooled_interval",
    "rank_p",
    "row_means",
    "share",
    "smallest_p",
    "unit_interval",
    "unit_t",
    "unpaired_t",
    "v_test",
    "with_reach",
]
