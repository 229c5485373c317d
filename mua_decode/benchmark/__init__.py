"""How fast, how large, and how near the arithmetic floor: the plain writing beside ours."""

from mua_decode.benchmark.floor import Floor, measure_peak, step_operations
from mua_decode.benchmark.memory import measure_epoch, peak_of_data, peak_of_step
from mua_decode.benchmark.timing import Timing, time_alternately
from mua_decode.benchmark.workloads import Sizes, Workload, load_plain

__all__ = [
    "Floor",
    "Sizes",
    "Timing",
    "Workload",
    "load_plain",
    "measure_epoch",
    "measure_peak",
    "peak_of_data",
    "peak_of_step",
    "step_operations",
    "time_alternately",
]
