from dataclasses import replace

import torch

from echotrain.models.samplers.jalal_langevin import JalalLangevin


def test_its_samples_do_not_know_how_noisy_the_measurements_are(gaussian_case):
    case = gaussian_case(sigma=0.05, samples=3)
    noisier = replace(case, problem=replace(case.problem, sigma=0.5))
    sampler = JalalLangevin(steps=5)
    torch.testing.assert_close(case.samples(sampler), noisier.samples(sampler), rtol=0, atol=0)


def test_it_is_no_posterior_sampler(gaussian_case):
    case = gaussian_case(samples=1500)
    statistics = case.statistics(case.samples(JalalLangevin(steps=60)))
    assert statistics.variance_measured > 2


def test_without_measurements_it_stays_finite(gaussian_case):
    case = gaussian_case(samples=2)
    operator = case.problem.operator

    class Nothing(type(operator)):
        def __call__(self, x):
            return 0 * super().__call__(x)

        def adjoint(self, y):
            return 0 * super().adjoint(y)

    unmeasured = replace(case, problem=replace(case.problem, operator=Nothing(operator.matrix)))
    assert unmeasured.samples(JalalLangevin(steps=5)).isfinite().all()


def test_it_keeps_what_samplers_promise(check_sampler):
    check_sampler(JalalLangevin(steps=100), residual=0.3)
