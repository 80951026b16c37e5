import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.coils.g_factor import in_snr_units, sense_g_factor
from echotrain.models.coils.pseudo_replica import pseudo_replica_noise
from echotrain.models.measurements import Measurements

SENSE = CGSense(iterations=25, regularisation=0.0)


def measured(coil, acceleration, noise, *, coils=8, shape=(24, 6)):
    """Undersampled, prewhitened k-space; maps are zero in a corner."""
    maps, kspace = coil.data(coils, shape)
    maps[..., :3, :2] = 0
    mask = torch.zeros(1, 1, shape[0], 1, dtype=torch.bool)
    mask[:, :, shape[0] // 2 % acceleration :: acceleration] = True
    return Measurements(kspace * mask, mask, maps, noise)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_fully_sampled_images_have_the_noise_of_k_space_inside_the_maps(coil):
    scan = measured(coil, 1, noise=2.0)
    noise = pseudo_replica_noise(SENSE, scan, replicas=200, generator=seeded())
    inside = scan.maps.abs().sum(dim=1) > 0
    assert noise[inside].mean() == pytest.approx(2.0, rel=0.02)
    assert noise[inside].std() == pytest.approx(2.0 / 800**0.5, rel=0.2)
    assert not noise[~inside].any()


@pytest.mark.parametrize("acceleration", [2, 3])
def test_noise_of_cg_sense_is_the_analytic_g_factor_times_the_root_of_r(coil, acceleration):
    scan = measured(coil, acceleration, noise=2**0.5)
    noise = pseudo_replica_noise(SENSE, scan, replicas=300, generator=seeded())
    g = sense_g_factor(scan.maps, (acceleration,)).float()
    inside = g > 0
    ratio = noise[inside] / (2 * acceleration) ** 0.5 / g[inside]
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert ratio.std() < 1.3 / 1200**0.5
    assert g[inside].max() > 1.05  # so that it is not tested against 1


def test_prewhitened_cg_sense_images_over_g_and_the_root_of_r_are_in_snr_units(coil):
    scan = measured(coil, 2, noise=2**0.5)
    g = sense_g_factor(scan.maps, (2,)).float()
    scaled = pseudo_replica_noise(lambda m: in_snr_units(SENSE(m), g, 2.0), scan, replicas=300, generator=seeded())
    inside = g > 0
    assert scaled[inside].mean() == pytest.approx(2**0.5, rel=0.02)  # 1 in the real part and 1 in the imaginary part


def test_the_seed_decides_and_the_number_together_does_not(coil):
    scan = measured(coil, 2, noise=1.0)
    noise = [
        pseudo_replica_noise(SENSE, scan, replicas=6, generator=seeded(seed), together=together)
        for seed, together in ((0, 6), (0, 4), (1, 6))
    ]
    torch.testing.assert_close(noise[0], noise[1])
    assert not torch.allclose(noise[0], noise[2])


def test_a_batch_is_measured_item_by_item(coil):
    scan = measured(coil, 2, noise=1.0)
    both = Measurements(
        torch.cat([scan.kspace, 5 * scan.kspace]), scan.mask.repeat(2, 1, 1, 1), scan.maps.repeat(2, 1, 1, 1), 1.0
    )
    noise = pseudo_replica_noise(SENSE, both, replicas=64, generator=seeded())
    assert noise.shape == (2, 24, 6)
    inside = noise[0] > 0
    assert (noise[1] / noise[0])[inside].mean() == pytest.approx(1, abs=0.05)  # linear: the signal does not matter


def test_unknown_noise_and_a_single_replica_are_refused(coil):
    with pytest.raises(ValueError, match="noise is None, replicas are 10; expected"):
        pseudo_replica_noise(SENSE, measured(coil, 2, noise=None), replicas=10, generator=seeded())
    with pytest.raises(ValueError, match="at least two"):
        pseudo_replica_noise(SENSE, measured(coil, 2, noise=1.0), replicas=1, generator=seeded())
