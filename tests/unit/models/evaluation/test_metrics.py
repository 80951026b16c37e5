import importlib.util

import numpy as np
import pytest
import torch

from echotrain.models.evaluation.metrics import fitted_magnitude, scores


@pytest.fixture
def reference():
    return torch.rand(3, 24, 20, generator=torch.Generator().manual_seed(0)) + 0.1


def test_an_error_of_known_size_has_the_scores_of_its_size():
    reference = torch.full((1, 16, 16), 2.0)
    image = reference.clone()
    image[0, ::2] += 0.1
    image[0, 1::2] -= 0.1  # its fit is 2 * 4 / 4.01 of it
    found = scores(image, reference)
    relative = np.sqrt(1 - 4 / 4.01)
    assert found.nrmse.item() == pytest.approx(relative, rel=1e-4)
    assert found.psnr.item() == pytest.approx(-20 * np.log10(relative), rel=1e-4)


def test_scale_and_phase_of_an_image_do_not_count(reference):
    image = reference + 0.1 * torch.rand(3, 24, 20, generator=torch.Generator().manual_seed(1))
    plain, turned = scores(image, reference), scores(-3e-6j * image, reference * 1e5)
    for name in ("psnr", "ssim", "nrmse"):
        torch.testing.assert_close(getattr(plain, name), getattr(turned, name), rtol=1e-4, atol=1e-6)


def test_the_reference_itself_is_perfect(reference):
    found = scores(0.5 * reference, reference)
    assert (found.psnr > 120).all()
    assert (found.nrmse < 1e-6).all()
    torch.testing.assert_close(found.ssim, torch.ones(3, dtype=torch.float64))


def test_slices_are_scored_apart_whatever_their_peaks(reference):
    image = reference + 0.2 * torch.rand(3, 24, 20, generator=torch.Generator().manual_seed(2))
    scaled = torch.tensor([1.0, 50.0, 0.01])[:, None, None]
    together = scores(image, reference * scaled)
    for number in range(3):
        alone = scores(image[number : number + 1], reference[number : number + 1])
        for name in ("psnr", "ssim", "nrmse"):
            assert getattr(together, name)[number].item() == pytest.approx(getattr(alone, name).item(), rel=1e-4)


def test_the_fit_is_the_least_squares_one(reference):
    image = reference + 0.3 * torch.rand(3, 24, 20, generator=torch.Generator().manual_seed(3))
    error = (fitted_magnitude(image, reference) - reference.double()).square().sum(dim=(1, 2))
    for factor in (0.99, 1.01):
        worse = (factor * fitted_magnitude(image, reference) - reference.double()).square().sum(dim=(1, 2))
        assert (worse > error).all()


def test_a_zero_image_is_scored_and_a_zero_reference_refused(reference):
    assert (scores(torch.zeros_like(reference), reference).nrmse == 1).all()
    with pytest.raises(ValueError, match="zero everywhere"):
        scores(reference, torch.zeros_like(reference))
    with pytest.raises(ValueError, match=r"image is \(2, 24, 20\), reference is \(3, 24, 20\)"):
        scores(reference[:2], reference)


def test_psnr_and_nrmse_are_those_of_the_published_definition(data, reference):
    file = data.parent / "tools" / "bart_reference.py"
    if not file.is_file():
        pytest.skip("tools/bart_reference.py is not beside the shared data")
    spec = importlib.util.spec_from_file_location("bart_reference", file)
    published = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(published)
    image = reference * torch.exp(1j * reference) + 0.1
    found = scores(image, reference)
    for number in range(3):
        nrmse, psnr = published.metrics(image[number].numpy(), reference[number].numpy())
        assert found.nrmse[number].item() == pytest.approx(nrmse, rel=1e-5)
        assert found.psnr[number].item() == pytest.approx(psnr, rel=1e-5)
