"""How far the pixels of the cue are from those shown, as they are."""

from __future__ import annotations

from torch import Tensor

from mua_decode.metrics.protocol import Shown, check_pair


class CueDifference:
    """Mean absolute difference, 0..255, of all pixels of the cue frames, without a threshold.

    Frames are averaged over the slice. The other reading of the "pixel difference" of a cue in
    Zhang et al. 2026 (doi:10.1038/s42003-025-09486-7), which does not say what is counted;
    :class:`~mua_decode.metrics.CuePixels` counts pixels that change sides.
    """

    name = "cue_difference"
    unit = "RGB 0-255"
    higher_is_better = False

    def __init__(self, *, segment: str = "cue") -> None:
        self.segment = segment

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the difference of every trial, (B,); NaN if a predicted pixel is NaN."""
        check_pair(predicted, shown)
        decoded, true = (255 * v.float().mean(2) for v in (predicted, shown.video))
        return (decoded - true).abs().flatten(1).mean(1)
