"""The problem by which every sampler is judged first: a Gaussian prior, whose posterior is known in closed form."""

from dataclasses import dataclass, replace

import pytest
import torch

from echotrain.models.operators.linear_operator import LinearOperator
from echotrain.models.priors.gaussian import GaussianPrior, Normal
from echotrain.models.samplers.draw import draw
from echotrain.models.samplers.inverse_problem import InverseProblem
from echotrain.models.samplers.noise import batch_noise

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
