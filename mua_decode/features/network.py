"""The activations of layers of any torch network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mua_decode.features.space import FeatureSpace, ImageFeatures, as_rgb
from mua_decode.features.weights import load_weight_file
from mua_decode.types import InputError, nearest_name


class NetworkFeatures(ImageFeatures):
    """Output of a named layer, such as ``fc6``, flattened; of several, each a space of its own.

    Parameters
    ----------
    network
        Any module that takes images (B, 3, H, W). Its attribute ``layer_names``, if it has one,
        maps usual names of layers to those of submodules.
    layer
        Name of a submodule, or a usual name; or several, and this space is the first: ``spaces``
        has one for each, which share the network.
    weights, sha256
        Weight file and its checksum, see :func:`mua_decode.features.load_weight_file`;
        nothing is downloaded.
    untrained
        ``True`` uses the network as it is, with random weights: a control, never by accident.
    size
        Height and width the network expects, in pixels (bilinear resampling, no crop).
    mean, std
        Per channel, subtracted from and divided into images in [0, 1].
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        layer: str | Sequence[str],
        weights: str | None = None,
        sha256: str | Sequence[str] | None = None,
        untrained: bool = False,
        size: int = 224,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        name: str = "network",
    ) -> None:
        super().__init__()
        chosen = (layer,) if isinstance(layer, str) else tuple(layer)
        if not chosen or len(set(chosen)) < len(chosen):
            raise InputError(f"features: layer must be a name or different names, found {layer}")
        self.submodules = tuple(_submodule(network, name) for name in chosen)
        if not untrained:
            load_weight_file(network, weights, sha256=sha256)
        elif weights:
            raise InputError("features: untrained=true and a weight file exclude each other")
        self.network = network.eval().requires_grad_(False)
        self.layers, self.name, self.size = chosen, name, size
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(list(std)).view(1, -1, 1, 1))
        self.mean: Tensor
        self.std: Tensor

    def spaces(self) -> Sequence[FeatureSpace]:
        """One space per layer, on the same network."""
        if len(self.layers) == 1:
            return (self,)
        return [
            NetworkFeatures(
                network=self.network,
                layer=layer,
                untrained=True,  # it has its weights
                size=self.size,
                mean=self.mean.flatten().tolist(),
                std=self.std.flatten().tolist(),
                name=f"{self.name}_{layer}",
            )
            for layer in self.layers
        ]

    def forward(self, images: Tensor) -> Tensor:
        """Describe images (B, C, H, W) in [0, 1] by (B, D) activations of the first layer."""
        x = as_rgb(images)
        if x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        caught: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            caught.append(output.clone())  # a ReLU that works in place would change it

        handle = self.network.get_submodule(self.submodules[0]).register_forward_hook(keep)
        try:
            self.network((x - self.mean) / self.std)
        finally:
            handle.remove()
        return caught[-1].flatten(1)


def _submodule(network: nn.Module, layer: str) -> str:
    """Name of the submodule that a layer's name, its own or a usual one, stands for."""
    usual: dict[str, str] = getattr(network, "layer_names", {})
    modules = [name for name, _ in network.named_modules() if name]
    found = usual.get(layer, layer)
    if found not in modules:
        known = [*usual, *modules]
        raise InputError(
            f"features: {type(network).__name__} has no layer '{layer}'"
            f"{nearest_name(layer, known)}; found: {', '.join(usual or modules)}"
        )
    return found
