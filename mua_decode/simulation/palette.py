"""Dot colours of equal luminance, set by their hue in CIE L*a*b*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mua_decode.simulation.checks import require_range
from mua_decode.types import InputError

# IEC 61966-2-1 (sRGB), D65 white.
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours on a circle of constant lightness and chroma."""

    names: Sequence[str] = ("green", "lime", "orange", "red")  # one name per colour
    # Hue angle of every colour in CIE L*a*b*, degrees (about 30 is red, 95 yellow, 150 green).
    hues_deg: Sequence[float] = (150.0, 115.0, 75.0, 40.0)
    lightness: float = 65.0  # L*, 0..100, the same for all colours, hence equal luminance
    # Distance from grey in the a*b* plane, > 0; too much of it leaves the RGB gamut.
    chroma: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(str(n) for n in self.names))
        object.__setattr__(self, "hues_deg", tuple(float(h) for h in self.hues_deg))
        if len(self.names) != len(self.hues_deg) or not self.names:
            raise InputError(
                f"palette: names and hues_deg must be as many and at least one, found "
                f"{len(self.names)} and {len(self.hues_deg)}"
            )
        if len(set(self.names)) != len(self.names):
            raise InputError(f"palette: names repeat: {list(self.names)}")
        require_range("palette", vars(self), "lightness", low=0, high=100)
        require_range("palette", vars(self), "chroma", low=0, above=True)
        linear = self._linear()
        outside = ((linear < -1e-6) | (linear > 1 + 1e-6)).any(axis=1)
        if outside.any():
            name = self.names[int(np.argmax(outside))]
            raise InputError(
                f"palette: colour '{name}' cannot be shown at lightness {self.lightness:g} and "
                f"chroma {self.chroma:g}; lower the chroma"
            )

    def _linear(self) -> np.ndarray:
        """Linear RGB before clipping, float (n, 3)."""
        hue = np.deg2rad(self.hues_deg)
        fy = (self.lightness + 16) / 116
        f = np.stack(
            [
                fy + self.chroma * np.cos(hue) / 500,
                np.full(len(hue), fy),
                fy - self.chroma * np.sin(hue) / 200,
            ],
            axis=1,
        )
        xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE
        return xyz @ _XYZ_TO_RGB.T

    @property
    def rgb(self) -> np.ndarray:
        """The colours as uint8 sRGB, shape (n, 3)."""
        linear = np.clip(self._linear(), 0, 1)
        coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        return np.rint(255 * coded).astype(np.uint8)
