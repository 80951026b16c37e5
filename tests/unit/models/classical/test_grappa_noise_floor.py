"""GRAPPA of a real writer's scan against what the noise alone must cost.

The scan shifts its twofold undersampling by a line from repetition to repetition, so that the mean of its four
repetitions is fully sampled: the reference. The error of one repetition's GRAPPA image against it has a floor from
noise, in closed form. Let the noise of a sample be white over coils with variance s^2 (prewhitened: 2), p the weights
of the coils in the combined image, N the lines, n those of the calibration region, which every repetition acquires.
With u = p W the unmixing weights of GRAPPA (Breuer 2009) and an orthonormal transform, a line that is acquired with
noise e_r in this repetition and e_s in the other one of the same parity contributes, before its modulation,

    outside the calibration region, on the lattice (N / R lines, R = 2):  u e_r - p (e_r + e_s) / 2
    outside, off the lattice (as many): filled in from the others, u has it; the reference's own  - p (e_t + e_v) / 2
    inside (n lines, acquired four times):  p e_r - p (sum of four) / 4

so that the variance of a pixel, k-space edges aside, is s^2 / N times

    (N - n) [ (|u|^2 - Re u p^H + |p|^2 / 4) / R + |p|^2 / (4 R) + (1 - 1 / R) |p|^2 / 2 ] + n |p|^2 3 / 4.

Without the reference's own noise and the calibration lines it is s^2 |u|^2 / R = s^2 |p|^2 g^2 R.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from echotrain.clients.scan_file import read_scan
from echotrain.engine.chain import Chain
from echotrain.engine.gadget import Context
from echotrain.engine.mrd_header import parse_header
from echotrain.engine.records import KSpace
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.noise_adjust import NoiseAdjust
from echotrain.gadgets.remove_oversampling import RemoveOversampling
from echotrain.models.classical.grappa import grappa_filled
from echotrain.models.classical.grappa_g_factor import grappa_g_factor, unmixing_weights
from echotrain.models.classical.grappa_weights import GrappaKernel, grappa_weights
from echotrain.models.classical.sampling_lattice import find_lattice
from echotrain.models.coil_combination import walsh_maps
from echotrain.models.operators.fourier import FourierOperator

REACH = 1.3


@pytest.fixture(scope="module")
def repetitions(data):
    """Prewhitened k-space (4, coils, ky, kx), with calibration lines in place, and acquired lines (4, ky)."""
    scan = read_scan(data / "raw" / "shepp_logan_r2_acs16_noise_8ch.h5")
    chain = Chain([(type(g).__name__, g) for g in (NoiseAdjust(), RemoveOversampling(), Accumulate())], check=False)
    chain.start(Context(header=parse_header(scan.header.xml)))
    made = [m for message in scan.messages for m in chain.feed(message)]
    found = [m for m in [*made, *chain.finish()] if isinstance(m, KSpace)]
    data_, lines = [], []
    for kspace in found:
        data_.append(np.where(kspace.calibration_sampled[..., None], kspace.calibration, kspace.data)[:, 0])
        lines.append((kspace.sampled | kspace.calibration_sampled)[0])
    return torch.from_numpy(np.stack(data_)), np.stack(lines)


def test_the_error_of_grappa_is_at_most_1_3_times_its_noise_floor(repetitions):
    kspace, lines = repetitions
    times = torch.from_numpy(lines.sum(axis=0))
    assert (times > 0).all(), "the repetitions together are fully sampled"
    reference = FourierOperator().adjoint(kspace.sum(dim=0) / times[:, None])
    p = torch.from_numpy(walsh_maps(reference.numpy()[:, None])[:, 0]).conj()[None]
    image = (p * reference).sum(dim=1)
    n, calibration = len(times), times == 4
    inside = int(calibration.sum()) / n
    assert inside * n == 16
    for one, acquired in zip(kspace, lines, strict=True):
        lattice = find_lattice(acquired[None])
        assert lattice.acceleration == (1, 2)
        weights = grappa_weights(one[None, :, calibration], lattice, GrappaKernel())
        u, r = unmixing_weights(weights, p), lattice.factor
        uu, pp, up = u.abs().square().sum(dim=1), p.abs().square().sum(dim=1), (u * p.conj()).real.sum(dim=1)
        outside = (uu - up + pp / 4) / r + pp / (4 * r) + (1 - 1 / r) * pp / 2
        variance = 2 * ((1 - inside) * outside + inside * 0.75 * pp)
        filled = grappa_filled(one[None], acquired[None], lattice, weights)
        error = (p * FourierOperator().adjoint(filled)).sum(dim=1) - image
        ratio = float(error.norm() / variance.sum().sqrt())
        assert 0.95 < ratio < REACH
        g = grappa_g_factor(weights, p)
        torch.testing.assert_close(2 * uu / r, 2 * pp * g.square() * r)
