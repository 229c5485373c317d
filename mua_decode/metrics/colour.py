"""How far the colour of the stimulus is from the one shown."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mua_decode.metrics.aperture import FIXATION_RADIUS, RADIUS, quartile_points, ring
from mua_decode.metrics.pixel_correlation import pearson
from mua_decode.metrics.protocol import Shown, check_pair

POINTS = ("quartiles", "frame", "aperture")


class Colour:
    """Mean absolute RGB difference, 0..255, between the decoded and the shown stimulus.

    Colours are read from the frames averaged over the slice given, at the points named; the
    difference is averaged over points and over the three channels. Zhang et al. 2026
    (doi:10.1038/s42003-025-09486-7) read four points at 2/4 and 3/4 along the two axes of the
    aggregated stimulus image, which leaves open whose axes. Raises ValueError if ``points`` is
    unknown or the radius is not in (0, 0.5].

    Parameters
    ----------
    points
        ``"quartiles"``: four, along the bounding box of the aperture, our reading; the first
        lies on the fixation point, which is grey. ``"frame"``: four, along the frame, the literal
        reading; at the published aperture the first lies on the fixation point and the last
        outside, on the background. ``"aperture"``: one colour, the mean over the
        aperture without the fixation point and without the pixel along its border.
    aperture_radius
        As a share of the frame's width.
    segment
        The one that shows the coloured stimulus.
    """

    name = "colour_error"
    unit = "RGB 0-255"
    higher_is_better = False

    def __init__(
        self,
        *,
        points: str = "quartiles",
        aperture_radius: float = RADIUS,
        segment: str = "stimulus",
    ) -> None:
        if points not in POINTS:
            raise ValueError(f"colour: points must be one of {', '.join(POINTS)}, found '{points}'")
        if not 0 < aperture_radius <= 0.5:
            raise ValueError(
                f"colour: aperture_radius must be a share of the width in (0, 0.5], "
                f"found {aperture_radius}"
            )
        self.points, self.aperture_radius, self.segment = points, aperture_radius, segment

    def not_applicable(self, shape: Sequence[int]) -> str | None:
        """Return why videos of ``shape`` (C, T, H, W) have no such colours, or None."""
        if shape[0] != 3:
            return f"needs RGB frames, found {shape[0]} channel(s)"
        try:
            self.sample(torch.zeros(1, 3, 1, *shape[2:]))
        except ValueError as error:
            return str(error)
        return None

    def sample(self, video: Tensor) -> Tensor:
        """Read the colours of every video (B, 3, T, H, W) in [0, 1].

        Float tensor (B, P, 3), RGB 0..255: P = 4 points, or 1 for the mean of the aperture. Raises
        ValueError if the video is not RGB, or the aperture does not fit the frame.
        """
        if video.ndim != 5 or video.shape[1] != 3:
            raise ValueError(f"colour: video must be (B, 3, T, H, W), found {tuple(video.shape)}")
        height, width = video.shape[-2:]
        frame = 255 * video.float().mean(2)
        if self.points != "aperture":
            radius = self.aperture_radius if self.points == "quartiles" else None
            rows, columns = quartile_points(height, width, radius=radius).unbind(1)
            return frame[:, :, rows, columns].transpose(1, 2)
        outer = self.aperture_radius * width - 1
        inside = ring(height, width, inner_px=FIXATION_RADIUS * width, outer_px=outer)
        return frame[:, :, inside].mean(2)[:, None]

    def __call__(self, predicted: Tensor, shown: Shown) -> Tensor:
        """Return the error of every trial, (B,) in 0..255.

        NaN if a pixel read is NaN, and for videos the metric does not apply to.
        """
        check_pair(predicted, shown)
        if self.not_applicable(predicted.shape[1:]):
            return torch.full((len(predicted),), float("nan"), device=predicted.device)
        return (self.sample(predicted) - self.sample(shown.video)).abs().mean((1, 2))


def _flat_pair(predicted_rgb: Tensor, true_rgb: Tensor) -> tuple[Tensor, Tensor]:
    if predicted_rgb.shape != true_rgb.shape or true_rgb.ndim < 2 or true_rgb.shape[-1] != 3:
        raise ValueError(
            "colour: predicted and true RGB must both be (..., P, 3), "
            f"found {tuple(predicted_rgb.shape)} and {tuple(true_rgb.shape)}"
        )
    return predicted_rgb.double().flatten(-2), true_rgb.double().flatten(-2)


def colour_correlation(predicted_rgb: Tensor, true_rgb: Tensor) -> Tensor:
    """Pearson correlation over the P * 3 values of colours (..., P, 3) of :meth:`Colour.sample`.

    Float64 (...) in [-1, 1]; NaN where either holds one grey level only. The published figure is
    the mean over conditions, each averaged over its trials before sampling. Raises ValueError if
    shapes differ or the last axis is not RGB.
    """
    x, y = _flat_pair(predicted_rgb, true_rgb)
    return pearson(x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])).reshape(x.shape[:-1])


def colour_cosine(predicted_rgb: Tensor, true_rgb: Tensor) -> Tensor:
    """Cosine similarity over the P * 3 values; as :func:`colour_correlation`, NaN for black."""
    x, y = _flat_pair(predicted_rgb, true_rgb)
    norm = torch.linalg.vector_norm(x, dim=-1) * torch.linalg.vector_norm(y, dim=-1)
    return torch.linalg.vecdot(x, y, dim=-1) / norm.masked_fill(norm == 0, float("nan"))
