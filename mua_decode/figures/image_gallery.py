"""Rows of images side by side: shown, read back, most effective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from mua_decode.figures import panels
from mua_decode.types import InputError

_LEAST_INCH = 0.5  # of an image


def image_gallery(
    rows: Mapping[str, np.ndarray],
    *,
    captions: Mapping[str, Sequence[str]] | None = None,
    title: str,
) -> Figure:
    """Draw named rows of equally many images.

    Rows are float images (M, C, H, W) in [0, 1], C = 1 or 3, clipped; captions M short texts under
    those of a row. On paper of a given width as many images are drawn, evenly, as it has room for.
    Raises InputError if the rows differ in length or are no images.
    """
    sizes = {name: images.shape for name, images in rows.items()}
    bad = [s for s in sizes.values() if len(s) != 4 or s[1] not in (1, 3)]
    if not rows or bad or len({s[0] for s in sizes.values()}) != 1:
        raise InputError(
            f"gallery: rows must be images (M, 1 or 3, H, W) with one M, found {sizes}"
        )
    number = next(iter(sizes.values()))[0]
    room = panels.how_many(number, _LEAST_INCH, 1.4, least=min(2, number))
    if room < number:  # evenly, the first and the last among them
        some = np.linspace(0, number - 1, room).round().astype(int)
        rows = {name: images[some] for name, images in rows.items()}
        captions = {name: [said[k] for k in some] for name, said in (captions or {}).items()}
        number = room
    figure = Figure(figsize=(1.15 * number + 1.6, 1.35 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), number, squeeze=False)
    for i, (name, images) in enumerate(rows.items()):
        for j, image in enumerate(images):
            ax = axes[i, j]
            shown = np.clip(image, 0, 1).transpose(1, 2, 0)
            ax.imshow(shown.squeeze(), cmap="gray", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
            for spine in ax.spines.values():
                spine.set_visible(False)
            if captions and name in captions:
                ax.set_xlabel(captions[name][j], fontsize=7, labelpad=2)
        axes[i, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure
