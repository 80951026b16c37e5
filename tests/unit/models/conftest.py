"""Checks that many numerical parts share."""

import pytest
import torch


def random_complex(shape, generator, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=generator)


@pytest.fixture
def check_adjoint():
    """Fail unless <A x, y> = <x, A^H y> and A is linear, for random x and y of the given shapes."""

    def check(operator, domain, codomain, *, dtype=torch.complex128, tolerance=1e-9):
        generator = torch.Generator().manual_seed(0)
        x, other = (random_complex(domain, generator, dtype) for _ in range(2))
        y = random_complex(codomain, generator, dtype)
        forward, backward = operator(x), operator.adjoint(y)
        assert forward.shape == torch.Size(codomain)
        assert backward.shape == torch.Size(domain)
        scale = float(forward.norm() * y.norm())
        assert abs(torch.vdot(forward.flatten(), y.flatten()) - torch.vdot(x.flatten(), backward.flatten())) < (
            tolerance * scale
        )
        factor = 0.7 - 1.3j
        torch.testing.assert_close(operator(factor * x + other), factor * forward + operator(other))
        torch.testing.assert_close(operator.H(y), backward)
        torch.testing.assert_close(operator.normal(x), operator.adjoint(forward))

    return check
