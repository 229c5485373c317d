"""How well the outline of the cue is reconstructed."""

from __future__ import annotations

import torch
from torch import Tensor

from mua_decode.metrics.aperture import FIXATION_RADIUS, ring, to_grey
from mua_decode.metrics.pixel_correlation import PixelCorrelation
from mua_decode.metrics.protocol import Shown, check_pair

_OUTLINE_RADIUS = 13 / 32  # of the frame's width: holds any outline, leaves out the saccade targets


class CueShape(PixelCorrelation):
    """Pearson correlation between the decoded and the shown cue frames, those of ``segment``.

    All C*T*H*W pixels of the cue segment enter one correlation, as
    :class:`~mua_decode.metrics.PixelCorrelation` has it for any segment: frames are not averaged
    first, so flicker in a decoded cue counts against it. Zhang et al. 2026
    (doi:10.1038/s42003-025-09486-7) average it over the 16 stimuli of each cue.
    """

    name = "cue_shape"

    def __init__(self, *, segment: str = "cue") -> None:
        self.segment = segment


def _levels(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split grey levels (B, D) in two groups by Otsu's criterion.

    Medians of the groups, background and outline, and the spread of the background, each (B,).
    """
    ordered = values.double().sort(1).values
    n = ordered.shape[1]
    count = torch.arange(1, n, device=values.device)
    below = ordered.cumsum(1)[:, :-1]
    total = ordered.sum(1, keepdim=True)
    # Otsu 1979 (doi:10.1109/TSMC.1979.4310076): the cut with the largest variance between groups.
    between = (total * count / n - below).square() / (count * (n - count))
    cut = between.argmax(1)
    low = torch.arange(n, device=values.device)[None] <= cut[:, None]
    nan = float("nan")
    background = ordered.masked_fill(~low, nan).nanmedian(1).values
    outline = ordered.masked_fill(low, nan).nanmedian(1).values
    spread = (ordered - background[:, None]).abs().masked_fill(~low, nan).nanmedian(1).values
    return background, outline, 1.4826 * spread


class CuePixels:
    """How many pixels change sides, outline or background, between decoded and shown cue.

    Frames are averaged over the slice and turned to grey; the same threshold, half-way between the
    background and the outline of the *shown* cue, cuts both. The two levels are medians of the
    groups into which Otsu's criterion splits the pixels around the fixation point, so the shown
    video may itself be noisy: a reconstruction from all regions, say, against which one from fewer
    regions is compared. A shown frame without an outline has no threshold. Raises ValueError if a
    limit is not positive.

    Parameters
    ----------
    segment
        The one that shows the cue.
    min_contrast
        Smallest difference of outline and background, in intensities of [0, 1], that is an
        outline.
    min_contrast_to_noise
        Smallest difference in robust standard deviations of the background.
    """

    name = "cue_pixels"
    unit = "pixels"
    higher_is_better = False

    def __init__(
        self,
        *,
        segment: str = "cue",
        min_contrast: float = 0.05,
        min_contrast_to_noise: float = 4.0,
    ) -> None:
        if min_contrast <= 0 or min_contrast_to_noise <= 0:
            raise ValueError(
                "cue pixels: min_contrast and min_contrast_to_noise must be positive, "
                f"found {min_contrast} and {min_contrast_to_noise}"
            )
        self.segment = segment
        self.min_contrast = min_contrast
        self.min_contrast_to_noise = min_contrast_to_noise

    def threshold(self, video: Tensor) -> Tensor:
        """Grey level that parts outline from background, (B,) in [0, 1]; NaN without an outline.

        ``video`` (B, C, T, H, W) in [0, 1] holds the frames of the cue.
        """
        frame = to_grey(video).mean(1)
        height, width = frame.shape[-2:]
        inner, outer = FIXATION_RADIUS * width, _OUTLINE_RADIUS * width
        around = ring(height, width, inner_px=inner, outer_px=outer)
        background, outline, noise = _levels(frame[:, around.to(frame.device)])
        contrast = outline - background
        seen = contrast >= self.min_contrast
        seen &= contrast >= self.min_contrast_to_noise * noise
        middle = (outline + background) / 2
        return middle.masked_fill(~seen, float("nan")).float()

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the number of pixels of every trial, (B,); NaN if shown has no outline."""
        check_pair(predicted, shown)
        cut = self.threshold(shown.video)
        frames = [to_grey(v).mean(1).flatten(1) for v in (predicted, shown.video)]
        decoded, true = (frame > cut[:, None] for frame in frames)
        different = (decoded != true).sum(1).float()
        broken = cut.isnan() | frames[0].isnan().any(1)
        return different.masked_fill(broken, float("nan"))
