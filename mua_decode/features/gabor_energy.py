"""A pyramid of Gabor energies over luminance and two colour-opponent channels, and colour."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.features.space import ImageFeatures, as_rgb
from mua_decode.types import InputError

_SIGMA = 0.56  # of a wavelength: one octave at half height


class GaborEnergy(ImageFeatures):
    """Local orientation energy at several scales, and the local mean colour.

    Luminance, red-green and blue-yellow images are filtered by quadrature pairs of Gabor
    functions (one octave wide); the image is halved from scale to scale, so that the wavelength
    doubles. The energy (squared even plus squared odd response) is averaged in a grid of cells
    and its logarithm taken. Mean luminance and opponent colour of every cell are appended.
    Adelson and Bergen 1985, doi 10.1364/JOSAA.2.000284 (energy).

    Every feature is a fixed function of the image: nothing is fitted, and gradients pass.

    Parameters
    ----------
    n_scales, n_orientations
        Size of the filter bank.
    wavelength_px
        Wavelength of the finest scale in pixels.
    grid
        Cells per side.
    contrast_floor
        Amplitude (in units of full scale) below which energy counts as none.
    chroma_weight
        Weight of the energy of the two opponent channels; luminance has weight 1.
    colour_weight
        Weight of the mean colour of a cell.
    aperture
        Standard deviation, in image widths, of a Gaussian weight on cells that favours the
        middle of the image, where stimuli placed over receptive fields fall; ``None``: no weight.
        Weights do not change the span of all features but which of them come first in a PCA.
    """

    name = "gabor_energy"

    def __init__(
        self,
        *,
        n_scales: int = 4,
        n_orientations: int = 8,
        wavelength_px: float = 4.0,
        grid: int = 6,
        contrast_floor: float = 1e-3,
        chroma_weight: float = 0.7,
        colour_weight: float = 5.0,
        aperture: float | None = 0.3,
    ) -> None:
        super().__init__()
        if min(n_scales, n_orientations, grid) < 1:
            raise InputError("features: n_scales, n_orientations and grid must be at least 1")
        if wavelength_px < 2 or contrast_floor <= 0 or (aperture is not None and aperture <= 0):
            raise InputError(
                "features: wavelength_px must be >= 2 pixels, contrast_floor and aperture > 0"
            )
        self.n_scales, self.grid, self.floor = n_scales, grid, contrast_floor**2
        self.chroma_weight, self.colour_weight = chroma_weight, colour_weight
        self.register_buffer("bank", gabor_bank(wavelength_px, n_orientations))
        at = (torch.arange(grid) + 0.5) / grid - 0.5
        square = at[:, None] ** 2 + at**2
        window = torch.ones(grid, grid) if aperture is None else (-square / 2 / aperture**2).exp()
        self.register_buffer("window", window)
        self.bank: Tensor
        self.window: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Describe images (B, C, H, W) in [0, 1] by (B, D) numbers."""
        self._check(images)
        opponent = opponent_channels(as_rgb(images))
        colour = F.adaptive_avg_pool2d(opponent, self.grid) * self.window
        energies = []
        level = opponent
        for scale in range(self.n_scales):
            if scale:
                level = F.avg_pool2d(level, 2)
            energies.append(self._energy(level))
        energy = (torch.stack(energies, 2) + self.floor).log() * self.window  # (B, 3, S, O, g, g)
        lum, chroma = energy[:, 0].flatten(1), energy[:, 1:].flatten(1)
        # Divided by the root of their number, so that a block's weight is its share of variance.
        blocks = [
            lum / math.sqrt(lum.shape[1]),
            chroma * (self.chroma_weight / math.sqrt(chroma.shape[1])),
            colour.flatten(1) * (self.colour_weight / math.sqrt(colour[0].numel())),
        ]
        return torch.cat(blocks, 1)

    def _energy(self, level: Tensor) -> Tensor:
        """Mean energy per cell, (B, 3, n_orientations, grid, grid)."""
        half = self.bank.shape[-1] // 2
        b, c, h, w = level.shape
        pad = min(half, h - 1, w - 1)
        x = F.pad(level.reshape(b * c, 1, h, w), (pad,) * 4, mode="reflect")
        x = F.pad(x, (half - pad,) * 4)
        stride = 2 if min(h, w) >= 4 * self.grid else 1
        even, odd = F.conv2d(x, self.bank, stride=stride).chunk(2, 1)
        pooled = F.adaptive_avg_pool2d(even.square() + odd.square(), self.grid)
        return pooled.view(b, c, -1, self.grid, self.grid)

    def _check(self, images: Tensor) -> None:
        smallest = min(images.shape[-2:]) // 2 ** (self.n_scales - 1)
        if smallest < 4:
            most = int(math.log2(min(images.shape[-2:]) / 4)) + 1
            raise InputError(
                f"features: images of {images.shape[-2]}x{images.shape[-1]} pixels are too small "
                f"for n_scales={self.n_scales}; at most {most}"
            )


def opponent_channels(images: Tensor) -> Tensor:
    """RGB (B, 3, H, W) to luminance, red - green and blue - yellow of the same shape."""
    r, g, b = images.unbind(1)
    return torch.stack([(r + g + b) / 3, r - g, b - (r + g) / 2], 1)


def gabor_bank(wavelength_px: float, n_orientations: int) -> Tensor:
    """Even, then odd Gabor kernels (2 * n_orientations, 1, P, P), gain 1/2 at the peak, no DC."""
    sigma = _SIGMA * wavelength_px
    half = math.ceil(2.7 * sigma)
    at = torch.arange(-half, half + 1, dtype=torch.float64)
    y, x = torch.meshgrid(at, at, indexing="ij")
    envelope = (-(x**2 + y**2) / (2 * sigma**2)).exp()
    envelope /= envelope.sum()
    even, odd = [], []
    for k in range(n_orientations):
        angle = math.pi * k / n_orientations
        phase = 2 * math.pi / wavelength_px * (x * math.cos(angle) + y * math.sin(angle))
        wave = envelope * phase.cos()
        even.append(wave - envelope * wave.sum())
        odd.append(envelope * phase.sin())
    return torch.stack(even + odd)[:, None].float()
