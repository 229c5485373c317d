"""The axes of perception as they are without the images that were also imagined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.analyses.axis.components import choose_components
from mua_decode.analyses.axis.plan import AxisPlan
from mua_decode.analyses.axis.responses import Responses
from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign, make_blocks
from mua_decode.analyses.axis.tuning import fit_axes
from mua_decode.types import InputError


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Axes that have seen none of the imagined objects, and where the objects lie on them.

    A site also has responses to an object that no axis explains. An axis fitted on the object
    takes up some of them, and if imagery replays them it seems to follow the axis.
    """

    objects: np.ndarray  # int (O,): conditions imagined
    blocks: Blocks  # the other images in folds; the objects as its test part
    x: np.ndarray  # float64 (K, P): components of all images, fitted on the others
    # float64 (O, N), spikes per second: the response to each object that the axis predicts.
    projected: np.ndarray
    tuned: np.ndarray  # bool (N,): responsive and axis-tuned, tested on the others
    tested: Blocks  # how the others were split for that test
    tested_components: int  # that axes of that test live in; its test images chose none of them


def hold_out(
    objects: np.ndarray,
    features: np.ndarray,
    responses: Responses,
    *,
    names: Sequence[str],
    plan: AxisPlan,
    rng: np.random.Generator,
) -> HeldOut:
    """Fit components and axes on the images that were not imagined, and project the objects.

    All objects are held out at once: were they held out fold by fold, the axes, and with them the
    means of the projections, would differ from object to object, and the correlation over objects
    would be biased downwards (a held-out object's fold is fitted without it, hence away from it).
    Which sites are tuned is tested on the other images too, with a split of their own, whose test
    images choose neither penalty nor number of components.

    Parameters
    ----------
    objects
        int (O,): conditions.
    features
        float (K, D), rows as in ``responses``.
    names
        Of the conditions.

    Raises InputError if an object was never perceived, or too few other images were.
    """
    missing = np.setdiff1d(objects, responses.condition)
    if len(missing):
        name = names[int(missing[0])]
        raise InputError(f"imagery: object '{name}' was imagined but never perceived by all sites")
    rows = np.searchsorted(responses.condition, objects)
    others = np.setdiff1d(np.arange(len(responses.condition)), rows)
    if len(others) < 10:
        raise InputError(
            f"imagery: {len(others)} perceived images were not imagined; axes need at least 10 of "
            "them (or set imagery=false)"
        )
    folds = np.array_split(rng.permutation(others), plan.inner_folds)
    blocks = Blocks(inner=tuple(np.sort(f) for f in folds), test=rows)
    asked = plan.n_components
    numbers = (asked,) if isinstance(asked, int) else asked
    x = choose_components(features, responses.rows, blocks, numbers=numbers)(features)
    fit = RidgeDesign(x, blocks).fit(responses.rows, blocks)
    split = make_blocks(
        len(others), test_fraction=plan.test_fraction, inner_folds=plan.inner_folds, rng=rng
    )
    own = Blocks(inner=tuple(others[b] for b in split.inner), test=others[split.test])
    x_own = x
    if not isinstance(numbers, int):
        x_own = choose_components(features, responses.rows, own, numbers=numbers)(features)
    model = fit_axes("held out", x_own, responses, own, plan=plan.test, rng=rng)
    projected = fit.predict(x[rows])
    return HeldOut(objects, blocks, x, projected, model.tuned, own, x_own.shape[1])
