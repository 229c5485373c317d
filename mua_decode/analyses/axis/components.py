"""How many principal components of a feature space the axes live in."""

from __future__ import annotations

import numpy as np

from mua_decode.analyses.axis.ridge import Blocks, RidgeDesign
from mua_decode.features import Components, fit_components


def choose_components(
    features: np.ndarray, y: np.ndarray, blocks: Blocks, *, numbers: int | tuple[int, ...]
) -> Components:
    """Fit principal components of the training images, so many as their responses ask for.

    One number is taken as it is. Of several, that with the smallest squared error on the inner
    folds is taken, relative to each site's variance, each site at its own penalty, averaged over
    all sites: one number for all, since axes are compared in one space. Numbers above what the
    images can give are lowered to it. The test images are not looked at.

    Parameters
    ----------
    features
        float (M, D).
    y
        Responses (M, N).

    Raises InputError if one number is given and the images cannot give so many.
    """
    train = features[blocks.train]
    if isinstance(numbers, int):
        return fit_components(train, numbers)
    most = fit_components(train, max(numbers), at_most=True)
    candidates = sorted({min(n, len(most.variance)) for n in numbers})
    if len(candidates) == 1:
        return most.first(candidates[0])
    x = most(features)
    errors = [
        np.nanmean(RidgeDesign(x[:, :n], blocks).validation_error(y, blocks)) for n in candidates
    ]
    return most.first(candidates[int(np.argmin(errors))])
