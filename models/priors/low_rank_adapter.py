"""Low-rank changes to the weights of a network, others for each item of a batch."""

from __future__ import annotations

import copy
from typing import NamedTuple, cast

from torch import Tensor, einsum, nn
from torch.nn.functional import conv2d, conv_transpose2d

from ..samplers.noise import Noise

_Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


class Adapted(NamedTuple):
    """A network with adapters, and what of it is to be learnt."""

    network: nn.Module
    parameters: list[Tensor]
    """Two factors for each layer, (items, ...): the gradient of a sum over items is that of each item alone."""


def with_low_rank_adapters(network: nn.Module, items: int, noise: Noise, *, rank: int = 4) -> Adapted:
    """Return a copy of a network whose layers have W + B A in place of their weights W; B = 0 at first.

    E. J. Hu et al., LoRA, ICLR 2022. Of a convolution, A has the kernel and B is 1x1; of a transposed one it is the
    other way round. All 2-D convolutions and linear layers are changed, those of the noise level's embedding as well.

    The copy shares the memory of W, to which nothing is written, and nothing else with the network: others can use the
    network at the same time, and nothing has to be undone.

    Parameters
    ----------
    network
        Each of its layers sees the items on its first axis.
    items
        Size of the batch. Each item has its own factors, so that none depends on what is computed beside it.
    noise
        Draws A, of variance 1 / rank^2.
    rank
        Of B A; at most the number of channels on either side of a layer.
    """
    shared = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in network.parameters()}
    adapted = copy.deepcopy(network, memo=dict(shared))
    parameters: list[Tensor] = []
    for layer in adapted.modules():
        if isinstance(layer, _Layer):
            adapter = _Adapter(layer, items, noise, rank)
            layer.register_forward_hook(adapter)
            parameters += (adapter.down, adapter.up)
    return Adapted(adapted, parameters)


class _Adapter:
    """A forward hook that adds B A x to what a layer makes of x."""

    def __init__(self, layer: _Layer, items: int, noise: Noise, rank: int) -> None:
        kernel = layer.weight.shape[2:]
        if isinstance(layer, nn.Linear):
            narrow, wide = layer.in_features, layer.out_features
        else:
            narrow, wide = layer.in_channels, layer.out_channels
        rank = min(rank, narrow, wide)
        if isinstance(layer, nn.ConvTranspose2d):
            down, up = (items, rank, narrow), (items, rank, wide, *kernel)
        else:
            down, up = (items, rank, narrow, *kernel), (items, wide, rank)
        self.down = (noise(layer.weight.detach().new_empty(down)) / rank).requires_grad_()
        self.up = layer.weight.detach().new_zeros(up).requires_grad_()

    def __call__(self, layer: _Layer, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        (x,) = arguments
        match layer:
            case nn.Linear():
                hidden = einsum("bri,b...i->b...r", self.down, x)
                return output + einsum("bor,b...r->b...o", self.up, hidden)
            case nn.Conv2d():
                weight = self.down.flatten(0, 1)
                side = conv2d(_side_by_side(x), weight, None, layer.stride, layer.padding, layer.dilation, len(x))
                return output + einsum("bor,bryx->boyx", self.up, side.reshape(len(x), -1, *side.shape[2:]))
            case nn.ConvTranspose2d():
                hidden = _side_by_side(einsum("bri,biyx->bryx", self.down, x))
                weight, padding = self.up.flatten(0, 1), cast("tuple[int, int]", layer.padding)
                side = conv_transpose2d(
                    hidden, weight, None, layer.stride, padding, layer.output_padding, len(x), layer.dilation
                )
                return output + side.reshape(output.shape)


def _side_by_side(x: Tensor) -> Tensor:
    """(items, channels, y, x) as one item, whose groups of channels are the items: they get filters of their own."""
    return x.flatten(0, 1)[None]
