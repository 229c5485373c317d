"""AlexNet, one tower, with the layer names of the published weight file."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class AlexNet(nn.Module):
    """AlexNet of Krizhevsky 2014, "One weird trick", arXiv 1404.5997.

    61,100,840 parameters with 1000 classes. Input (B, 3, 224, 224) normalised by the mean and
    standard deviation of ImageNet. ``layer_names`` has the layers' usual names: ``fc6`` is what the
    layer puts out, ``relu6`` the same after its rectification.
    """

    layer_names: ClassVar[dict[str, str]] = {
        **{f"conv{i + 1}": f"features.{at}" for i, at in enumerate((0, 3, 6, 8, 10))},
        **{f"relu{i + 1}": f"features.{at}" for i, at in enumerate((1, 4, 7, 9, 11))},
        **{f"pool{i}": f"features.{at}" for i, at in ((1, 2), (2, 5), (5, 12))},
        **{"fc6": "classifier.1", "relu6": "classifier.2", "fc7": "classifier.4"},
        **{"relu7": "classifier.5", "fc8": "classifier.6"},
    }

    def __init__(self, *, n_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, n_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Class scores (B, n_classes) of normalised images (B, 3, 224, 224)."""
        out: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return out
