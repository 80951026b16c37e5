"""The variational network: data consistency, maps, regularisers."""

import dataclasses

import pytest
import torch

from echotrain.models.networks.build import build
from echotrain.models.networks.learnt_maps import LearntMaps
from echotrain.models.operators.fourier import FourierOperator


def test_without_regulariser_and_with_eta_one_the_image_is_the_zero_filled_one(make_measurements):
    measurements = make_measurements(batch=2)
    image = build("varnet", {"cascades": 3, "channels": 2, "pools": 1})(measurements)
    torch.testing.assert_close(image, measurements.zero_filled())


@pytest.mark.parametrize("eta", [1.0, 0.5])
def test_with_eta_one_a_cascade_replaces_what_the_regulariser_did_to_sampled_kspace(make_measurements, eta):
    """One coil: the image holds all of k-space. Cascade 1 adds G1; cascade 2, silent, takes eta of it back."""
    measurements = make_measurements(coils=1, size=(16, 16))
    network = build("varnet", {"cascades": 2, "channels": 2, "pools": 1})
    torch.nn.init.normal_(network.regularisers[0].last.weight)
    torch.nn.init.constant_(network.eta, eta)
    kspace = FourierOperator()(measurements.maps * network(measurements)[:, None])
    off = (kspace - measurements.kspace) * measurements.mask
    if eta == 1:
        assert off.abs().max() < 1e-5 * measurements.kspace.abs().max()
    else:
        assert off.abs().max() > 1e-2 * measurements.kspace.abs().max()
    assert (kspace * ~measurements.mask).abs().max() > 1e-2 * measurements.kspace.abs().max()


def test_shared_cascades_have_one_regulariser(make_network, make_measurements):
    shared = make_network("varnet", cascades=3, shared=True)
    apart = make_network("varnet", cascades=3)
    assert [block.path for block in shared.blocks()] == ["regularisers.0"]
    for regulariser in apart.regularisers:
        regulariser.load_state_dict(shared.regularisers[0].state_dict())
    apart.eta.data.copy_(shared.eta.data)
    measurements = make_measurements()
    assert torch.equal(shared(measurements), apart(measurements))


def test_a_network_with_learnt_maps_keeps_scale_batch_and_gradient(make_network, make_measurements):
    network = make_network("varnet", maps="learnt", maps_channels=2)
    measurements, thousandfold = make_measurements(batch=2), make_measurements(batch=2, scale=1000.0)
    image = network(measurements)
    torch.testing.assert_close(network(thousandfold), 1000 * image, rtol=1e-4, atol=1e-3)
    image.abs().sum().backward()
    assert all(p.grad.any() and p.grad.isfinite().all() for p in network.parameters())
    assert network.blocks()[-1].path == "learnt_maps.unet"
    assert not network(make_measurements(scale=0.0)).any()


def test_untrained_learnt_maps_are_the_calibration_images_over_their_root_sum_of_squares(make_measurements):
    measurements = make_measurements(acceleration=1)
    maps = LearntMaps(2, 2)(measurements)
    coils = FourierOperator().adjoint(measurements.kspace)
    expected = coils / coils.abs().square().sum(dim=1, keepdim=True).sqrt()
    torch.testing.assert_close(maps, expected)


def test_maps_are_learnt_from_the_filled_rectangle_about_the_centre_of_each_slice(make_measurements):
    full = make_measurements(batch=2, acceleration=1, size=(9, 8))
    inside = torch.zeros(2, 1, 9, 8, dtype=torch.bool)
    inside[0, :, 2:6, 3:7] = True
    inside[1, :, 3:8, 2:5] = True
    mask = inside.clone()
    mask[..., 0, 0] = mask[0, :, 6, 4] = mask[..., 8, 4] = True  # in line with the rectangle, yet no side of it
    learnt = LearntMaps(2, 2)
    maps = learnt(dataclasses.replace(full, kspace=full.kspace * mask, mask=mask))
    expected = learnt(dataclasses.replace(full, kspace=full.kspace * inside, mask=inside))
    assert torch.equal(maps, expected)
    coils = FourierOperator().adjoint(full.kspace * inside)
    torch.testing.assert_close(maps, coils / coils.abs().square().sum(dim=1, keepdim=True).sqrt())


def test_maps_can_not_be_learnt_without_the_centre(make_measurements):
    full = make_measurements(batch=2, acceleration=1)
    mask = full.mask.expand(2, -1, -1, -1).clone()
    mask[1, :, mask.shape[2] // 2] = False
    with pytest.raises(ValueError, match="the centre of k-space was not sampled"):
        LearntMaps(2, 2)(dataclasses.replace(full, mask=mask))
