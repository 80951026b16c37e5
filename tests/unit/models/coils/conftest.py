"""Coils whose sensitivities are known, and their k-space."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from echotrain.models.operators.fourier import FourierOperator


def known_coils(coils, shape, seed=0):
    """(coils, *shape) complex64: three waves an axis, a quarter of the field of view, squares summing to 1.

    Before they are normalised they are band-limited: ESPIRiT finds their directions exactly.
    """
    rng = np.random.default_rng(seed)
    axes = [np.exp(2j * np.pi / n * np.outer([-1, 0, 1], np.arange(n) - n // 2)) for n in shape]
    maps = np.zeros((coils, *shape), complex)
    for index in np.ndindex(*[3] * len(shape)):
        wave = np.ones(())
        for axis, i in zip(axes, index, strict=True):
            wave = np.multiply.outer(wave, axis[i])
        weight = rng.standard_normal(coils) + 1j * rng.standard_normal(coils)
        maps += weight.reshape(-1, *[1] * len(shape)) * wave / 2 ** np.sum(np.array(index) != 1)
    return maps


def coil_data(coils, shape, seed=0):
    """Maps (1, coils, *shape) normalised, and the k-space of a random image seen by them."""
    rng = np.random.default_rng(seed + 1)
    maps = known_coils(coils, shape, seed)
    image = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    unit = maps / np.linalg.norm(maps, axis=0)
    kspace = FourierOperator(tuple(range(-len(shape), 0)))(torch.from_numpy(maps * image)[None])
    return torch.from_numpy(unit)[None].to(torch.complex64), kspace.to(torch.complex64)


def alignment(ours, theirs):
    """|<s_ours, s_theirs>| over coils, 1 where both point the same way."""
    return (ours.conj() * theirs).sum(dim=1).abs()


@pytest.fixture
def coil():
    """``data(coils, shape)`` -> maps, k-space; ``alignment(ours, theirs)``."""
    return SimpleNamespace(data=coil_data, alignment=alignment)
