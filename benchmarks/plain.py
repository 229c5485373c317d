"""The direct PyTorch writing of the published network and loss: the honest baseline.

Every layer is the stock one (``nn.Upsample``, ``nn.Conv3d``, ``nn.BatchNorm3d``, ``nn.MaxPool3d``)
and the loss calls SSIM frame by frame, as doi 10.1038/s42003-025-09486-7 describes them. Nothing
is handicapped: the default memory format, no copies that a careful writer would avoid. The layers
carry the names of :class:`mua_decode.models.VideoUNet`, so that checkpoints go both ways.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pytorch_msssim import ssim
from torch import Tensor, nn

KERNELS = (7, 5, 3, 3)
POOLS = ((3, 2, 2), (3, 2, 2), (5, 2, 2), (1, 2, 2))
WIDTHS = (1, 2, 4, 4)


class PlainSpikeEncoder(nn.Module):
    """Linear, BatchNorm over the bins, ReLU, Linear, sigmoid, reshaped to a video."""

    def __init__(
        self, n_sites: int, n_bins: int, frame_shape: tuple[int, int, int], hidden: int = 512
    ) -> None:
        super().__init__()
        self.frame_shape = frame_shape
        self.hidden = nn.Linear(n_sites, hidden)
        self.norm = nn.BatchNorm1d(n_bins)
        self.frame = nn.Linear(hidden, frame_shape[0] * frame_shape[1] * frame_shape[2])

    def forward(self, spikes: Tensor) -> Tensor:
        c, h, w = self.frame_shape
        x = torch.sigmoid(self.frame(torch.relu(self.norm(self.hidden(spikes)))))
        return x.reshape(*x.shape[:2], h, w, c).permute(0, 4, 1, 2, 3).contiguous()


class PlainEncoderBlock(nn.Module):
    """Conv3d, BatchNorm, ReLU, MaxPool."""

    def __init__(self, c_in: int, c_out: int, kernel: int, pool: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv3d(c_in, c_out, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm3d(c_out)
        self.pool = nn.MaxPool3d(pool)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pool(torch.relu(self.norm(self.conv(x))))
        return out


class PlainDecoderBlock(nn.Module):
    """Upsample, Conv3d, BatchNorm and, but for the last block, ReLU."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, scale: tuple[int, int, int], *, last: bool
    ) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=scale, mode="nearest")
        self.conv = nn.Conv3d(c_in, c_out, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm3d(c_out)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(self.upsample(x)))
        return x if self.last else torch.relu(x)


class PlainAutoencoder(nn.Module):
    """Four encoder blocks and their mirror."""

    def __init__(
        self,
        channels: int,
        width: int,
        kernels: Sequence[int],
        pools: Sequence[tuple[int, int, int]],
    ) -> None:
        super().__init__()
        c = [channels, *(width * factor for factor in WIDTHS)]
        self.encoder = nn.Sequential(
            *(PlainEncoderBlock(c[i], c[i + 1], kernels[i], pools[i]) for i in range(4))
        )
        self.decoder = nn.Sequential(
            *(
                PlainDecoderBlock(c[i + 1], c[i], kernels[i], pools[i], last=i == 0)
                for i in (3, 2, 1, 0)
            )
        )

    def forward(self, video: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.encoder(video))
        return out


class PlainVideoUNet(nn.Module):
    """The published decoder, 3,554,915 parameters at 140 sites, 45 bins and (3, 32, 32).

    Parameters
    ----------
    n_sites, n_bins, frame_shape
        Sizes of the data; bins, height and width divisible by the pools' products.
    width, kernel_sizes, pools, spike_hidden
        As published by default.
    """

    def __init__(
        self,
        n_sites: int,
        n_bins: int,
        frame_shape: tuple[int, int, int],
        *,
        width: int = 32,
        kernel_sizes: Sequence[int] = KERNELS,
        pools: Sequence[tuple[int, int, int]] = POOLS,
        spike_hidden: int = 512,
    ) -> None:
        super().__init__()
        self.spike_encoder = PlainSpikeEncoder(n_sites, n_bins, frame_shape, spike_hidden)
        self.autoencoder = PlainAutoencoder(frame_shape[0], width, kernel_sizes, pools)

    def forward(self, spikes: Tensor) -> Tensor:
        """Decode spikes (B, T, N) to video (B, C, T, H, W) in [0, 1]."""
        return (torch.tanh(self.autoencoder(self.spike_encoder(spikes))) + 1) / 2


class PlainLoss(nn.Module):
    """Σ_i η_i (1 − SSIM(frame_i)) + ‖v − v̂‖², one SSIM call per frame.

    Parameters
    ----------
    frame_weights
        η, one per frame.
    normalisation
        "sum" for the published formula (per sample), "mean" for the form of the authors' code.
    """

    def __init__(self, frame_weights: Sequence[float], *, normalisation: str = "sum") -> None:
        super().__init__()
        self.weights = [float(w) for w in frame_weights]
        self.normalisation = normalisation

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        total = predicted.new_zeros(())
        for i, weight in enumerate(self.weights):
            total = total + weight * (1 - ssim(predicted[:, :, i], true[:, :, i], data_range=1.0))
        if self.normalisation == "mean":
            return total / sum(self.weights) + (predicted - true).square().mean()
        return total + (predicted - true).square().sum() / len(predicted)
