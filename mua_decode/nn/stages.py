"""Sizes of a video on its way down and up again, for any number of bins and any frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from math import prod

N_STAGES = 4
_LARGEST_FACTOR = 5

Size = tuple[int, int, int]


@lru_cache(maxsize=1024)
def derive_time_pools(n_bins: int, n_stages: int = N_STAGES) -> tuple[int, ...]:
    """Choose pooling factors that bring `n_bins` down to one bin.

    Small factors first, ones last; the product is the smallest that reaches `n_bins` with factors
    of at most five (larger ones only for very long trials), so 45 bins give (3, 3, 5, 1) and a
    prime such as 47 is pooled as if it were 48, the last window being partial.

    Raises ValueError if `n_bins` is below 1.
    """
    if n_bins < 1:
        raise ValueError(f"n_bins: expected at least 1, found {n_bins}")
    largest = _LARGEST_FACTOR
    while largest**n_stages < n_bins:
        largest += 1
    reaching = [
        factors
        for factors in combinations_with_replacement(range(1, largest + 1), n_stages)
        if prod(factors) >= n_bins
    ]
    best = min(reaching, key=lambda f: (prod(f), max(f), sum(x > 1 for x in f), f))
    ones = tuple(f for f in best if f == 1)
    return tuple(f for f in best if f > 1) + ones


def as_pools(
    time_pools: Sequence[int] | None, space_pools: Sequence[int | tuple[int, int]], *, n_bins: int
) -> tuple[Size, ...]:
    """Return the pooling window (time, height, width) of each stage.

    Time pools of None are derived from `n_bins`; a pair among the space pools gives height and
    width apart. Raises ValueError if there are not four factors, or one is below 1.
    """
    times = derive_time_pools(n_bins) if time_pools is None else tuple(time_pools)
    pairs = [(p, p) if isinstance(p, int) else (int(p[0]), int(p[1])) for p in space_pools]
    for name, values in (("time_pools", times), ("space_pools", pairs)):
        if len(values) != N_STAGES:
            raise ValueError(f"{name}: expected {N_STAGES} factors, found {len(values)}")
    pools = tuple((int(t), h, w) for t, (h, w) in zip(times, pairs, strict=True))
    if any(factor < 1 for pool in pools for factor in pool):
        raise ValueError(f"pools: expected factors of at least 1, found {pools}")
    return pools


def stage_sizes(size: Size, pools: tuple[Size, ...]) -> tuple[tuple[Size, ...], tuple[Size, ...]]:
    """Follow a video of `size` (T, H, W) through the pooling stages, whose windows are `pools`.

    A window that hangs over the end is kept (the length is divided and rounded up), and a window
    longer than what is left shrinks to it, so no size is refused. Returned are the sizes before
    the first stage and after each (one more than there are stages), and the windows used.
    """
    sizes, windows = [size], []
    for pool in pools:
        now = sizes[-1]
        window = (min(pool[0], now[0]), min(pool[1], now[1]), min(pool[2], now[2]))
        windows.append(window)
        sizes.append((-(-now[0] // window[0]), -(-now[1] // window[1]), -(-now[2] // window[2])))
    return tuple(sizes), tuple(windows)
