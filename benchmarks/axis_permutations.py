"""Time and memory of the axis model with its permutation test at full size.

    python benchmarks/axis_permutations.py [--sites 1000] [--images 10000] [--permutations 1000]

Half of the sites are planted with an axis, half with none, so the shares found significant say
whether the test does its work at this size.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from mua_decode.analyses.axis.permutation import permutation_p
from mua_decode.analyses.axis.ridge import RidgeDesign, make_blocks


def main() -> None:
    """Print seconds, peak memory and the share of sites with p < 0.05."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--components", type=int, default=50)
    parser.add_argument("--permutations", type=int, default=1000)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    scale = np.linspace(3, 0.3, given.components)
    features = rng.standard_normal((given.images, given.components)) * scale
    tuned = np.arange(given.sites) % 2 == 1
    axes = rng.standard_normal((given.components, given.sites)) * tuned
    responses = features @ axes * 0.05 + rng.standard_normal((given.images, given.sites))
    start = time.perf_counter()
    blocks = make_blocks(given.images, test_fraction=0.2, inner_folds=5, rng=rng)
    fitted = RidgeDesign(features, blocks).fit(responses, blocks)
    p = permutation_p(features, responses, blocks, n_permutations=given.permutations, rng=rng)
    seconds = time.perf_counter() - start
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{seconds:.1f} s, peak {peak_gib:.2f} GiB")
    print(
        f"median held-out correlation of planted sites {np.median(fitted.correlation[tuned]):.3f}"
    )
    print(
        f"p < 0.05: planted {np.mean(p[tuned] < 0.05):.3f}, others {np.mean(p[~tuned] < 0.05):.3f}"
    )


if __name__ == "__main__":
    main()
