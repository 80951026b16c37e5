"""The problem by which every sampler is judged first: a Gaussian prior, whose posterior is known in closed form."""

from dataclasses import dataclass, replace

import pytest
import torch

from echotrain.models.operators.linear_operator import LinearOperator
from echotrain.models.operators.sense import SenseOperator
from echotrain.models.operators.slicewise import Slicewise
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
    says something about what is not. Or give other eigenvalues: (32,) float64.
    """

    def make(sigma=0.05, samples=1500, eigenvalues=None):
        generator = torch.Generator().manual_seed(7)
        basis, _ = torch.linalg.qr(torch.randn(N, N, generator=generator, dtype=torch.float64))
        if eigenvalues is None:
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
        calibration = torch.zeros(n, 1, dtype=torch.bool)
        calibration[n // 2 - 1 : n // 2 + 2] = True
        y = clean + sigma * mask * noise(clean)
        start = operator.adjoint(y)
        problem = InverseProblem(operator, y, sigma, (items, n, n), start=start, calibration=calibration)
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

        y, start, shape = case.problem.y[1:2], case.problem.start[1:2], (1, *case.problem.shape[1:])
        alone = replace(case.problem, y=y, start=start, shape=shape)
        *_, image = sampler(alone, case.prior, seeded(2))
        torch.testing.assert_close(image, images[-1][1:2], rtol=1e-6, atol=1e-6)

        shorter = Recording(case.prior)
        for _ in replace(sampler, steps=3)(case.problem, shorter, seeded(1, 2, 3)):
            pass
        assert max(shorter.asked) == pytest.approx(max(prior.asked))
        assert min(shorter.asked) == pytest.approx(min(prior.asked))

    return check


@dataclass(frozen=True)
class StackCase:
    """A stack of 6 slices of 12 x 12 that change little from one to the next, each undersampled in its own way."""

    prior: GaussianPrior
    truth: torch.Tensor
    volume: InverseProblem
    """(1, z, y, x)."""
    slices: InverseProblem
    """The same as a batch of slices, (z, y, x)."""

    def error(self, images):
        """Return ||x - truth|| / ||truth||."""
        return float((images.reshape(self.truth.shape) - self.truth).norm() / self.truth.norm())

    def jitter(self, images):
        """Return the norm of differences from slice to slice over that of the truth's."""
        stack = images.reshape(self.truth.shape)
        return float(stack.diff(dim=1).norm() / self.truth.diff(dim=1).norm())


@pytest.fixture(scope="session")
def stack_case(sense_case):
    """Make the case: its prior is that of ``sense_case``, of single slices. complex128."""

    def make(sigma=0.02, z=6, n=12):
        generator = torch.Generator().manual_seed(12)
        prior, noise = sense_case(1).prior, batch_noise(generator)
        factor = torch.linalg.cholesky(prior.covariance).to(torch.complex128)
        first, last = (noise(torch.zeros(2, n * n, dtype=torch.complex128)) @ factor.T).reshape(2, n, n)
        truth = torch.stack([first + 0.5 * k / z * (last - first) for k in range(z)])
        y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, n, dtype=torch.float64)], indexing="ij")
        maps = torch.stack([torch.polar(torch.exp(-((y - c) ** 2)), c * x) for c in (-1, 1)])
        maps = (maps / maps.abs().square().sum(dim=0).sqrt()).expand(z, 2, n, n)
        mask = torch.rand(z, 1, n, 1, generator=generator) < 0.3
        mask[:, :, n // 2] = True
        operator = SenseOperator(maps, mask)
        measured = operator(truth)
        measured = measured + sigma * mask * noise(measured)
        volume = InverseProblem(Slicewise(operator), measured[None], sigma, (1, z, n, n))
        return StackCase(prior, truth[None], volume, InverseProblem(operator, measured, sigma, (z, n, n)))

    return make
