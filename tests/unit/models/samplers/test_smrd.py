from dataclasses import replace

import pytest
import torch

from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.noise import batch_noise
from echotrain.models.samplers.smrd import Smrd, probed_divergence

FAST = Smrd(steps=20, window=10_000)


def noise_of(seed):
    return batch_noise(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_divergence_of_a_linear_map_is_its_trace(dtype):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(12, 12, dtype=dtype, generator=generator)
    # one probe along each coordinate: together they make no error
    parts = [1, 1j] if dtype.is_complex else [1]
    probes = torch.cat([part * torch.eye(12, dtype=dtype) for part in parts]).reshape(-1, 3, 4)
    response = (probes.flatten(1) @ matrix.T).reshape(-1, 3, 4)
    trace = len(parts) * matrix.trace().real  # of the real matrix that acts on the parts
    torch.testing.assert_close(probed_divergence(probes, response).sum(), trace)


def test_random_probes_find_the_trace_on_average():
    matrix = torch.diag(torch.arange(1.0, 7.0)).to(torch.complex64)
    probes = batch_noise(torch.Generator().manual_seed(0))(torch.empty(20_000, 6, dtype=torch.complex64))
    assert probed_divergence(probes, probes @ matrix).mean() == pytest.approx(42, rel=0.01)


def test_samples_are_centred_and_have_hardly_any_spread_where_measured(gaussian_case):
    case = gaussian_case(samples=150)
    found = case.statistics(case.samples(Smrd(steps=40, step=0.1, window=10_000)))
    assert found.bias < 0.25
    assert found.variance_measured < 0.01  # a property to state, not a good one
    assert 0.8 < found.variance_null < 1.6


def test_it_keeps_what_samplers_promise(check_sampler):
    check_sampler(FAST, residual=0.3)


def test_lambda_learns(sense_case):
    case = sense_case(1)
    fixed, learnt = (
        draw(replace(FAST, learning=share), case.problem, case.prior, noise_of(0)).images for share in (0.0, 1.0)
    )
    assert (fixed - learnt).norm() > 0.01 * learnt.norm()


def test_it_stops_once_the_risk_rises_and_keeps_images_that_are_done(sense_case):
    case = sense_case(5)
    estimates = list(Smrd(steps=300, updates=1, window=5)(case.problem, case.prior, noise_of(0)))
    ends = [
        next(n for n, estimate in enumerate(estimates) if torch.equal(estimate[item], estimates[-1][item]))
        for item in range(5)
    ]
    assert 15 <= min(ends) < max(ends) == len(estimates) - 1 < 299


def test_empty_measurements_make_no_nan(sense_case):
    case = sense_case(1)
    problem = replace(case.problem, y=torch.zeros_like(case.problem.y))
    assert draw(FAST, problem, case.prior, noise_of(0)).images.isfinite().all()
