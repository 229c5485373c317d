"""The activations of one layer of any torch network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.features.space import ImageFeatures, as_rgb
from mua_decode.features.weights import load_weight_file
from mua_decode.types import InputError, nearest_name


class NetworkFeatures(ImageFeatures):
    """Output of a named layer, such as ``classifier.4``, flattened.

    Parameters
    ----------
    network
        Any module that takes images (B, 3, H, W).
    weights, sha256
        State-dict file and its checksum, see :func:`mua_decode.features.load_weight_file`;
        nothing is downloaded.
    untrained
        ``True`` uses the network as it is, with random weights: a control, never by accident.
    size
        Height and width the network expects, in pixels (bilinear resampling).
    mean, std
        Per channel, subtracted from and divided into images in [0, 1].
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        layer: str,
        weights: str | None = None,
        sha256: str | Sequence[str] | None = None,
        untrained: bool = False,
        size: int = 224,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        name: str = "network",
    ) -> None:
        super().__init__()
        layers = dict(network.named_modules())
        if layer not in layers:
            raise InputError(
                f"features: {type(network).__name__} has no layer '{layer}'"
                f"{nearest_name(layer, layers)}; found: {', '.join(k for k in layers if k)}"
            )
        if not untrained:
            load_weight_file(network, weights, sha256=sha256)
        elif weights:
            raise InputError("features: untrained=true and a weight file exclude each other")
        self.network = network.eval().requires_grad_(False)
        self.layer, self.size, self.name = layer, size, name
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(list(std)).view(1, -1, 1, 1))
        self.mean: Tensor
        self.std: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Describe images (B, C, H, W) in [0, 1] by (B, D) activations."""
        x = as_rgb(images)
        if x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        caught: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            caught.append(output.clone())  # a ReLU that works in place would change it

        handle = self.network.get_submodule(self.layer).register_forward_hook(keep)
        try:
            self.network((x - self.mean) / self.std)
        finally:
            handle.remove()
        return caught[-1].flatten(1)
