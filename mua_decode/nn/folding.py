"""A trained network with its batch normalisation folded into the convolutions."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

from mua_decode.nn.blocks import DecoderBlock, EncoderBlock
from mua_decode.nn.fast.lane_blocks import affine_map

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def fold_batchnorm(model: Network) -> Network:
    """Return a frozen copy for inference whose convolutions hold their batch normalisation.

    The copy gives the same numbers up to rounding, can be exported, and refuses nothing the
    original took; it cannot be trained. `model` stays as it is: any network built from
    :class:`EncoderBlock` and :class:`DecoderBlock`, whose running statistics are used, whether it
    is in training or in evaluation mode.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for block in folded.modules():
        if not isinstance(block, EncoderBlock | DecoderBlock):
            continue
        conv = block.conv
        scale, shift = affine_map(conv, block.norm)
        conv.weight.mul_(scale.view(-1, 1, 1, 1, 1))
        conv.bias = nn.Parameter(shift.clone(), requires_grad=False)
        block.norm = nn.Identity()
    return folded
