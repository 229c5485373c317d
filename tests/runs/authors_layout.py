"""The authors' networks, written plainly from their description with the names of their layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

POOLS = ((3, 2, 2), (3, 2, 2), (5, 2, 2), (1, 2, 2))


def _encoder(width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    widths = [3, width, 2 * width, 4 * width, 4 * width]
    layers: list[nn.Module] = []
    for i, (kernel, pool) in enumerate(zip(kernels, POOLS, strict=True)):
        conv = nn.Conv3d(widths[i], widths[i + 1], kernel, padding=kernel // 2)
        layers += [conv, nn.BatchNorm3d(widths[i + 1]), nn.ReLU(), nn.MaxPool3d(pool)]
    return nn.Sequential(*layers)


def _decoder(width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    widths = [4 * width, 4 * width, 2 * width, width, 3]
    layers: list[nn.Module] = []
    for i, (kernel, scale) in enumerate(zip(kernels[::-1], POOLS[::-1], strict=True)):
        conv = nn.Conv3d(widths[i], widths[i + 1], kernel, padding=kernel // 2)
        layers += [nn.Upsample(scale_factor=scale), conv, nn.BatchNorm3d(widths[i + 1])]
        layers += [nn.ReLU()] if i < 3 else []
    return nn.Sequential(*layers)


class _Dense(nn.Module):
    def __init__(self, n_sites: int, hidden: int, px: int) -> None:
        super().__init__()
        self.px = px
        self.dense1 = nn.Linear(n_sites, hidden)
        self.bn1 = nn.BatchNorm1d(45)
        self.dense2 = nn.Linear(hidden, 3 * px * px)

    def forward(self, spikes: Tensor) -> Tensor:
        out = torch.sigmoid(self.dense2(torch.relu(self.bn1(self.dense1(spikes)))))
        return out.reshape(-1, 45, 3, self.px, self.px).permute(0, 2, 1, 3, 4)


class _ReverseDense(nn.Module):
    def __init__(self, n_sites: int, hidden: int, px: int) -> None:
        super().__init__()
        self.dense2 = nn.Linear(3 * px * px, hidden)
        self.bn1 = nn.BatchNorm1d(45)
        self.dense1 = nn.Linear(hidden, n_sites)

    def forward(self, video: Tensor) -> Tensor:
        frames = video.permute(0, 2, 1, 3, 4).reshape(len(video), 45, -1)
        return self.dense1(torch.relu(self.bn1(self.dense2(frames))))


class AuthorsDecoder(nn.Module):
    """Activity (B, 45, N) to video (B, 3, 45, H, W) in [0, 1]."""

    def __init__(
        self,
        n_sites: int,
        *,
        width: int = 32,
        kernels: tuple[int, ...] = (7, 5, 3, 3),
        hidden: int = 512,
        px: int = 32,
    ) -> None:
        super().__init__()
        self.Dense = _Dense(n_sites, hidden, px)
        self.encoder, self.decoder = _encoder(width, kernels), _decoder(width, kernels)

    def forward(self, spikes: Tensor) -> Tensor:
        return (torch.tanh(self.decoder(self.encoder(self.Dense(spikes)))) + 1) / 2


class AuthorsInverse(nn.Module):
    """Video (B, 3, 45, H, W) to activity (B, 45, N); no tanh between decoder and reverse_Dense."""

    def __init__(
        self,
        n_sites: int,
        *,
        width: int = 32,
        kernels: tuple[int, ...] = (7, 5, 3, 3),
        hidden: int = 512,
        px: int = 32,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = _encoder(width, kernels), _decoder(width, kernels)
        self.reverse_Dense = _ReverseDense(n_sites, hidden, px)

    def forward(self, video: Tensor) -> Tensor:
        return self.reverse_Dense(self.decoder(self.encoder(video)))


def with_statistics(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch normalisation statistics, scales and shifts that do something; evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm3d):
            for name, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5),
                              ("running_var", 0.5)):  # fmt: skip
                value = getattr(module, name)
                value.data = torch.rand(value.shape, generator=generator) + low
    return network.eval()
