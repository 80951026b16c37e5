from dataclasses import replace

import numpy as np
import pytest

from echotrain.engine.errors import DataError
from echotrain.engine.messages import Readouts
from echotrain.gadgets.accumulate import Accumulate
from echotrain.gadgets.compress_coils import CompressCoils

PLAIN = {"matrix": (8, 8, 1), "fov": (200, 200, 5), "coils": 5}


def test_k_space_of_few_sources_loses_nothing_in_as_many_virtual_coils(scans):
    scan = scans.Scan(**PLAIN)
    block = scan.all_lines()
    mixed = np.repeat(block.samples[:, :1], 5, axis=1) * np.arange(1, 6)[:, None].astype(np.complex64)
    (out,) = scans.run(scan, [Accumulate(), CompressCoils(coils=1)], Readouts(block.headers, mixed))
    assert out.data.shape == (1, 1, 8, 8)
    energy = (np.abs(mixed) ** 2).sum(axis=1).reshape(8, 8)
    np.testing.assert_allclose(np.abs(out.data[0, 0]) ** 2, energy, rtol=1e-4)
    assert out.history[-1] == "compress_coils: 5 to 1 coils with 100.0000% of the energy"


def test_virtual_coils_come_from_the_calibration_lines_and_stay_for_the_slice(scans):
    scan = scans.Scan(**PLAIN)
    calibration = scan.readouts([3, 4], flags=scans.bit("IS_PARALLEL_CALIBRATION"), seed=2)
    second = scan.all_lines(repetition=1, seed=3)
    one, two = scans.run(scan, [Accumulate(), CompressCoils(coils=2)], calibration, scan.all_lines(), second)
    assert one.calibration.shape == (2, 1, 8, 8)
    matrix = np.linalg.lstsq(np.moveaxis(second.samples, 1, 0).reshape(5, -1).T, two.data.reshape(2, -1).T, rcond=None)[
        0
    ]
    (again,) = scans.run(scan, [Accumulate(), CompressCoils(coils=2)], calibration, second[:0], scan.all_lines())
    np.testing.assert_array_equal(again.data, one.data)
    lines = np.moveaxis(scan.all_lines().samples, 1, 0).reshape(5, -1)
    np.testing.assert_allclose((matrix.T @ lines).reshape(one.data.shape), one.data, atol=1e-4)


def test_the_energy_to_keep_decides_where_no_number_is_given(scans):
    scan = scans.Scan(**PLAIN)
    (most,) = scans.run(scan, [Accumulate(), CompressCoils(energy=0.999)], scan.all_lines())
    (less,) = scans.run(scan, [Accumulate(), CompressCoils(energy=0.5)], scan.all_lines())
    assert len(most.data) == 5
    assert len(less.data) < 5


def test_a_slice_that_changes_its_coils_is_refused(scans):
    scan = scans.Scan(**PLAIN)
    few = scans.Scan(**{**PLAIN, "coils": 4})
    with pytest.raises(DataError, match="k-space has 4 coils, expected 5"):
        scans.run(scan, [Accumulate(), CompressCoils()], scan.all_lines(), few.all_lines(repetition=1))


def test_geometric_virtual_coils_hold_more_of_the_energy_than_as_many_global_ones(scans):
    scan = scans.Scan(**PLAIN)
    calibration = scan.readouts([3, 4], flags=scans.bit("IS_PARALLEL_CALIBRATION"), seed=2)
    (out,) = scans.run(scan, [Accumulate(), CompressCoils(method="geometric", coils=2)], calibration, scan.all_lines())
    assert out.data.shape == out.calibration.shape == (2, 1, 8, 8)
    assert "5 to 2 coils at each of 8 positions along the readout with 100.0" in out.history[-1]
    (plain,) = scans.run(scan, [Accumulate(), CompressCoils(coils=2)], calibration, scan.all_lines())
    assert np.linalg.norm(out.calibration) > 1.1 * np.linalg.norm(plain.calibration)


def test_geometric_compression_refuses_asymmetric_echoes(scans):
    scan = scans.Scan(**PLAIN)
    with pytest.raises(DataError, match=r'columns 3 to 7 of 8; .*"geometric" needs all of them, "svd" does not'):
        scans.run(
            scan,
            [Accumulate(), CompressCoils(method="geometric")],
            scan.readouts(range(8), samples=5, center_sample=1),
        )


def test_variants_of_a_scan_have_matrices_of_their_own(scans):
    scan = scans.Scan(coils=3)
    block = scan.all_lines()
    mixed = replace(block, samples=block.samples * np.float32([1, 5, 25])[:, None])
    perturbed = replace(mixed, prepared=replace(mixed.prepared, variant="perturbed"))
    both = scans.run(scan, [Accumulate(), CompressCoils(coils=1)], block, perturbed)
    alone = scans.run(scan, [Accumulate(), CompressCoils(coils=1)], mixed)
    np.testing.assert_array_equal(both[1].data, alone[0].data)
