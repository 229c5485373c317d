"""A pyramid of Gabor energies over luminance and two colour-opponent channels, texture, colour."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mua_decode.features.space import ImageFeatures, as_rgb
from mua_decode.types import InputError

_SIGMA = 0.56  # of a wavelength: one octave at half height
_AMPLITUDE_FLOOR = 0.03  # of amplitude maps, added before their logarithm
_TEXTURE_FLOOR = 1e-4  # of the energy of amplitude maps
_SMALLEST_MAP = 7  # pixels: smaller amplitude maps have no structure to measure


class GaborEnergy(ImageFeatures):
    """Local orientation energy at several scales, its own structure, and the local mean colour.

    Luminance, red-green and blue-yellow images are filtered by quadrature pairs of Gabor
    functions (one octave wide); the image is halved from scale to scale, so that the wavelength
    doubles. The energy (squared even plus squared odd response) is averaged in a grid of cells
    and its logarithm taken. Mean luminance and opponent colour of every cell are appended.
    Adelson and Bergen 1985, doi 10.1364/JOSAA.2.000284 (energy).

    Texture is the same once more: the logarithm of the luminance amplitude at every scale and
    orientation is a map, of which energies are taken at its own and at coarser scales. It tells
    contours, bends and repeated elements from mere contrast (second order of a scattering
    transform; Bruna and Mallat 2013, doi 10.1109/TPAMI.2012.230).

    Every feature is a fixed function of the image: nothing is fitted, and gradients pass.

    Parameters
    ----------
    n_scales, n_orientations
        Size of the filter bank; ``n_scales=None`` takes all that the images can carry.
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
    texture_weight
        Weight of texture; 0 leaves it out.
    texture_scales, texture_orientations, texture_grid
        Filter bank and cells per side of the second stage.
    aperture
        Standard deviation, in image widths, of a Gaussian weight on cells that favours the
        middle of the image, where stimuli placed over receptive fields fall; ``None``: no weight.
        Weights do not change the span of all features but which of them come first in a PCA.
    """

    name = "gabor_energy"

    def __init__(
        self,
        *,
        n_scales: int | None = None,
        n_orientations: int = 8,
        wavelength_px: float = 4.0,
        grid: int = 6,
        contrast_floor: float = 1e-3,
        chroma_weight: float = 0.7,
        colour_weight: float = 5.0,
        texture_weight: float = 3.0,
        texture_scales: int = 3,
        texture_orientations: int = 4,
        texture_grid: int = 4,
        aperture: float | None = 0.3,
    ) -> None:
        super().__init__()
        counts = {"n_orientations": n_orientations, "grid": grid, "texture_scales": texture_scales}
        counts |= {"texture_orientations": texture_orientations, "texture_grid": texture_grid}
        counts |= {} if n_scales is None else {"n_scales": n_scales}
        for name, value in counts.items():
            if value < 1:
                raise InputError(f"features: {name} must be at least 1, found {value}")
        if wavelength_px < 2 or contrast_floor <= 0 or (aperture is not None and aperture <= 0):
            raise InputError(
                "features: wavelength_px must be >= 2 pixels, contrast_floor and aperture > 0"
            )
        self.n_scales, self.grid, self.floor = n_scales, grid, contrast_floor**2
        self.chroma_weight, self.colour_weight = chroma_weight, colour_weight
        self.texture_weight, self.texture_scales = texture_weight, texture_scales
        self.register_buffer("bank", gabor_bank(wavelength_px, n_orientations))
        self.register_buffer("texture_bank", gabor_bank(wavelength_px, texture_orientations))
        self.register_buffer("window", _window(grid, aperture))
        self.register_buffer("texture_window", _window(texture_grid, aperture))
        self.bank: Tensor
        self.texture_bank: Tensor
        self.window: Tensor
        self.texture_window: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Describe images (B, C, H, W) in [0, 1] by (B, D) numbers."""
        n_scales = self._scales(images)
        level = opponent_channels(as_rgb(images))
        colour = F.adaptive_avg_pool2d(level, self.grid) * self.window
        energies, textures = [], []
        for scale in range(n_scales):
            if scale:
                level = F.avg_pool2d(level, 2)
            maps = self._energy(level)
            pooled = F.adaptive_avg_pool2d(maps.flatten(1, 2), self.grid)
            energies.append(pooled.unflatten(1, maps.shape[1:3]))
            if self.texture_weight:
                coarse = maps.shape[-1] <= level.shape[-1] // 2
                textures += self._texture(maps[:, 0], halved=coarse)
        energy = (torch.stack(energies, 2) + self.floor).log() * self.window  # (B, 3, S, O, g, g)
        lum, chroma = energy[:, 0].flatten(1), energy[:, 1:].flatten(1)
        texture = [torch.cat(textures, 1)] if textures else []
        # Divided by the root of their number, so that a block's weight is its share of variance.
        return torch.cat(
            [
                lum / math.sqrt(lum.shape[1]),
                chroma * (self.chroma_weight / math.sqrt(chroma.shape[1])),
                *(t * (self.texture_weight / math.sqrt(t.shape[1])) for t in texture),
                colour.flatten(1) * (self.colour_weight / math.sqrt(colour[0].numel())),
            ],
            1,
        )

    def _energy(self, level: Tensor) -> Tensor:
        """Energy everywhere, (B, 3, n_orientations, h, w); h and w are halved where large."""
        b, c, h, w = level.shape
        stride = 2 if min(h, w) >= 4 * self.grid else 1
        found = gabor_energy(level.reshape(b * c, 1, h, w), self.bank, stride=stride)
        return found.unflatten(0, (b, c))

    def _texture(self, energy: Tensor, *, halved: bool) -> list[Tensor]:
        """Energies of the amplitude maps of luminance, (B, D) per scale of the maps."""
        maps = ((energy + self.floor).sqrt() + _AMPLITUDE_FLOOR).log()
        if not halved:
            maps = F.avg_pool2d(maps, 2)
        b, o, *size = maps.shape
        maps, found = maps.reshape(b * o, 1, *size), []
        for scale in range(self.texture_scales):
            if scale:
                maps = F.avg_pool2d(maps, 2)
            if min(maps.shape[-2:]) < _SMALLEST_MAP:
                break
            amplitude = (gabor_energy(maps, self.texture_bank) + _TEXTURE_FLOOR).sqrt()
            cells = F.adaptive_avg_pool2d(amplitude, len(self.texture_window)).log()
            found.append((cells * self.texture_window).reshape(b, -1))
        return found

    def _scales(self, images: Tensor) -> int:
        """Scales of the pyramid: its coarsest image has at least 4 pixels a side."""
        side = min(images.shape[-2:])
        most = int(math.log2(side / 4)) + 1 if side >= 4 else 0
        n_scales = max(1, most) if self.n_scales is None else self.n_scales
        if n_scales > most:
            raise InputError(
                f"features: images of {images.shape[-2]}x{images.shape[-1]} pixels are too small "
                f"for n_scales={n_scales}; at most {most}"
            )
        return n_scales


def gabor_energy(images: Tensor, bank: Tensor, *, stride: int = 1) -> Tensor:
    """Squared even plus squared odd response of images (B, 1, H, W), (B, O, h, w)."""
    half = bank.shape[-1] // 2
    pad = min(half, images.shape[-2] - 1, images.shape[-1] - 1)
    x = F.pad(images, (pad,) * 4, mode="reflect")
    even, odd = F.conv2d(F.pad(x, (half - pad,) * 4), bank, stride=stride).chunk(2, 1)
    return even.square() + odd.square()


def _window(grid: int, aperture: float | None) -> Tensor:
    """Gaussian weight of ``grid`` x ``grid`` cells about the middle of the image."""
    at = (torch.arange(grid) + 0.5) / grid - 0.5
    square = at[:, None] ** 2 + at**2
    return torch.ones(grid, grid) if aperture is None else (-square / 2 / aperture**2).exp()


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
