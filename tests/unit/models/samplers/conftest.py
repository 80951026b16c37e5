"""The problem by which every sampler is judged first: a Gaussian prior, whose posterior is known in closed form."""

from dataclasses import dataclass, replace

import pytest
import torch

from echotrain.models.operators.linear_operator import LinearOperator
from echotrain.models.operators.sense import SenseOperator
from echotrain.models.priors.gaussian import GaussianPrior, Normal
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise, item_noise

N, M = 32, 12


class MatrixOperator(LinearOperator):
    """A dense matrix on the last axis."""

    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, x):
        return x @ self.matrix.T

    def adjoint(self, y):
        return y @ self.matrix.conj()


@dataclass(frozen=True)
class Statistics:
    """Samples beside the posterior: bias in posterior standard deviations (root mean square over coordinates), and
    variances over the true ones, in the space that is measured and in the one that is not (mean over directions).
    """

    bias: float
    variance_measured: float
    variance_null: float


@dataclass(frozen=True)
class GaussianCase:
    """x ~ N(0, C), n = 32; m = 12 orthonormal rows are measured, with noise."""

    prior: GaussianPrior
    matrix: torch.Tensor
    problem: InverseProblem
    posterior: Normal

    def samples(self, sampler, seed=0):
        """Run a sampler: (batch, n)."""
        return draw(sampler, self.problem, self.prior, batch_noise(torch.Generator().manual_seed(seed))).images

    def statistics(self, samples):
        """Compare samples with the posterior."""
        mean, covariance = self.posterior
        offset = (samples.mean(dim=0) - mean) / covariance.diagonal().sqrt()
        empirical = torch.cov(samples.T)
        _, _, rows = torch.linalg.svd(self.matrix)
        measured, null = rows[:M], rows[M:]

        def ratio(space):
            of = [torch.einsum("ij,jk,ik->i", space, c, space) for c in (empirical, covariance)]
            return float((of[0] / of[1]).mean())

        return Statistics(float(offset.square().mean().sqrt()), ratio(measured), ratio(null))

    def with_start(self, start):
        """Return the same with a hot start."""
        return replace(self, problem=replace(self.problem, start=start))


@pytest.fixture(scope="session")
def gaussian_case():
    """Make the case for a noise level and a number of samples: ``gaussian_case(sigma=.05, samples=1500)``.

    Real-valued, float64: noise has one part. C has random eigenvectors and eigenvalues from 1.3 down to .7: about 1, as
    samplers assume that take Cov[x0 | x] for sigma^2 / (1 + sigma^2), yet no multiple of I, so that what is measured
    says something about what is not.
    """

    def make(sigma=0.05, samples=1500):
        generator = torch.Generator().manual_seed(7)
        basis, _ = torch.linalg.qr(torch.randn(N, N, generator=generator, dtype=torch.float64))
        eigenvalues = torch.linspace(1.3, 0.7, N, dtype=torch.float64)
        prior = GaussianPrior(torch.zeros(N, dtype=torch.float64), (basis * eigenvalues) @ basis.T)
        rows, _ = torch.linalg.qr(torch.randn(N, M, generator=generator, dtype=torch.float64))
        matrix = rows.T.contiguous()
        truth = basis @ (eigenvalues.sqrt() * torch.randn(N, generator=generator, dtype=torch.float64))
        y = matrix @ truth + sigma * torch.randn(M, generator=generator, dtype=torch.float64)
        problem = InverseProblem(MatrixOperator(matrix), y.expand(samples, M), sigma, (samples, N))
        return GaussianCase(prior, matrix, problem, prior.posterior(matrix, y, sigma))

    return make


class Recording:
    """A prior that remembers at which noise levels it was asked."""

    def __init__(self, prior):
        self.prior, self.sigmas, self.asked = prior, prior.sigmas, []

    def denoise(self, x, sigma):
        self.asked.append(float(sigma))
        return self.prior.denoise(x, sigma)


@dataclass(frozen=True)
class SenseCase:
    """Complex images of 12 x 12, undersampled twice by 3 coils, with noise; a smooth Gaussian prior."""

    prior: GaussianPrior
    problem: InverseProblem

    def residuals(self, images):
        """Return ||A x - y|| / ||y|| of each image: (batch,)."""
        difference = self.problem.operator(images) - self.problem.y
        return difference.flatten(1).norm(dim=1) / self.problem.y.flatten(1).norm(dim=1)


@pytest.fixture(scope="session")
def sense_case():
    """Make the case for a number of items, each of another image: ``sense_case(3)``. complex128."""

    def make(items=3, sigma=0.02):
        generator = torch.Generator().manual_seed(11)
        n = 12
        y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, n, dtype=torch.float64)], indexing="ij")
        points = torch.stack((y.flatten(), x.flatten()), dim=1)
        covariance = 0.5 * torch.exp(-torch.cdist(points, points).square() / 0.1) + 0.02 * torch.eye(n * n)
        angles = torch.tensor([0.0, 2.1, 4.2], dtype=torch.float64)[:, None, None]
        centres = (y - angles.sin()) ** 2 + (x - angles.cos()) ** 2
        maps = torch.polar(torch.exp(-centres), angles + y * x)[None]
        maps = maps / maps.abs().square().sum(dim=1, keepdim=True).sqrt()
        mask = torch.ones(1, 1, n, 1, dtype=torch.bool)
        mask[:, :, ::2] = False
        mask[:, :, n // 2] = True
        operator = SenseOperator(maps, mask)
        noise = batch_noise(generator)
        images = torch.zeros(items, n * n, dtype=torch.complex128)
        truth = (noise(images) @ torch.linalg.cholesky(covariance).T.to(images.dtype)).reshape(items, n, n)
        clean = operator(truth)
        problem = InverseProblem(operator, clean + sigma * mask * noise(clean), sigma, (items, n, n))
        return SenseCase(GaussianPrior(torch.zeros(n * n, dtype=torch.float64), covariance), problem)

    return make


@pytest.fixture
def check_sampler(sense_case):
    """Check what every sampler promises, on complex images of several coils: ``check_sampler(sampler, residual=.2)``.

    ``residual``: what ||A x - y|| / ||y|| must be below; None where measurements are not used.
    """

    def seeded(*seeds):
        return item_noise([torch.Generator().manual_seed(seed) for seed in seeds])

    def check(sampler, residual):
        case = sense_case(3)
        prior = Recording(case.prior)
        images = list(sampler(case.problem, prior, seeded(1, 2, 3)))
        assert len(images) == sampler.steps
        assert len(prior.asked) == sampler.evaluations
        assert images[-1].shape == case.problem.shape
        assert images[-1].dtype == torch.complex128
        if residual is not None:
            assert (case.residuals(images[-1]) < residual).all()

        alone = replace(case.problem, y=case.problem.y[1:2], shape=(1, *case.problem.shape[1:]))
        if alone.start is not None:
            alone = replace(alone, start=alone.start[1:2])
        *_, image = sampler(alone, case.prior, seeded(2))
        torch.testing.assert_close(image, images[-1][1:2], rtol=1e-6, atol=1e-6)

        shorter = Recording(case.prior)
        for _ in replace(sampler, steps=3)(case.problem, shorter, seeded(1, 2, 3)):
            pass
        assert max(shorter.asked) == pytest.approx(max(prior.asked))
        assert min(shorter.asked) == pytest.approx(min(prior.asked))

    return check
