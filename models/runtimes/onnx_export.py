"""Blocks of networks as ONNX models, verified against torch."""

from __future__ import annotations

import copy
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.export import Dim

from ..model_card import ModelError
from ..networks.network import Block, Network
from .onnx_block import OnnxBlock

TOLERANCE = 1e-4
"""Largest difference between ONNX Runtime and torch, relative to torch's largest value."""
SHAPES = ((1, 32, 32), (2, 48, 40), (5, 16, 56))
"""What is compared: batch, and about the height and width."""


def export_blocks(network: Network) -> dict[str, bytes]:
    """Export every block of a network, for any batch, height and width.

    Returns
    -------
    dict
        Path of the block in the network -> ONNX model.

    Raises
    ------
    ModelError
        A block cannot be exported, or ONNX Runtime computes something else than torch.
    """
    models: dict[str, bytes] = {}
    alike: dict[tuple[str, Block], bytes] = {}
    for block in network.blocks():
        module = copy.deepcopy(network.get_submodule(block.path)).cpu().eval().requires_grad_(False)
        kind = str(module), block._replace(path="")
        known = alike.get(kind)  # blocks of one kind differ in their weights alone, and exporting takes seconds
        model = None if known is None else _with_weights(known, module)
        if model is None or not disagreement(model, module, block) <= TOLERANCE:
            model = _export(module, block)
            error = disagreement(model, module, block)
            if not error <= TOLERANCE:
                raise ModelError(
                    f"ONNX Runtime computes {block.path} of {type(network).__name__} differently from torch: by "
                    f"{error:.1e} of the largest value, at most {TOLERANCE:g} is allowed"
                )
        models[block.path] = alike[kind] = model
    return models


def disagreement(model: bytes, module: nn.Module, block: Block) -> float:
    """Return the largest difference to torch over ``SHAPES``, relative to torch's largest value; on the CPU."""
    ours, error = OnnxBlock(model, torch.device("cpu")), 0.0
    generator = torch.Generator().manual_seed(0)
    for batch, *about in SHAPES:
        size = [block.multiple * math.ceil(n / block.multiple) for n in about]
        inputs = [torch.randn(batch, channels, *size, generator=generator) for channels in block.channels]
        with torch.inference_mode():
            expected = module(*(x.clone() for x in inputs))  # modules may work in place
            difference = (ours(*inputs) - expected).abs().max() / expected.abs().max().clamp(min=1e-30)
        error = max(error, float(difference))
    return error


def _export(module: nn.Module, block: Block) -> bytes:
    batch, rows, columns = Dim("batch"), Dim("rows"), Dim("columns")
    # not 1, which would be taken for a size that never changes, and all different
    inputs = tuple(torch.zeros(2, channels, 3 * block.multiple, 4 * block.multiple) for channels in block.channels)
    shape = {0: batch, 2: block.multiple * rows, 3: block.multiple * columns}
    try:
        with _quiet():
            program = torch.onnx.export(
                module, inputs, dynamo=True, verbose=False, dynamic_shapes=tuple(dict(shape) for _ in inputs)
            )
    except Exception as error:  # whatever the exporter raises
        raise ModelError(f"{block.path} cannot be exported to ONNX: {str(error)[:1000]}") from error
    assert program is not None  # it is None for the old exporter alone
    return program.model_proto.SerializeToString()


def _with_weights(model: bytes, module: nn.Module) -> bytes | None:
    """Return an exported model with the weights of another module; None if they are not there by their names."""
    proto, state = onnx.load_from_string(model), dict(module.state_dict())
    for initializer in proto.graph.initializer:
        if initializer.name in state:
            initializer.CopyFrom(numpy_helper.from_array(state.pop(initializer.name).numpy(), initializer.name))
    return None if state else proto.SerializeToString()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own warnings to itself: they are about its libraries, not about the model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
