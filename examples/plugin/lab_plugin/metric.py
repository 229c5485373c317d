"""A metric: one number per trial, called with a batch of decoded videos and what was shown."""

from __future__ import annotations

from torch import Tensor

from mua_decode.metrics import Shown


class ContrastRatio:
    """Contrast (s.d. of pixels) of the decoded video over that of the shown one; 1 is right."""

    name = "lab_contrast"  # as its entry point is called
    unit = "1"
    higher_is_better = True
    segment = None  # the whole video and every segment

    def __init__(self, floor: float = 1e-6) -> None:
        self.floor = floor

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Score videos (B, C, T, H, W) in [0, 1]: (B,), NaN where undefined."""
        true = shown.video.float().flatten(1).std(1)
        return predicted.float().flatten(1).std(1) / true.clamp_min(self.floor)
