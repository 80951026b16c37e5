"""Linear operators on complex tensors: apply, adjoint, composition."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class LinearOperator(ABC):
    """A linear map between complex tensors, with its adjoint.

    Operators act on the trailing axes that their docstrings name; all axes before are batches. They hold no state but
    the tensors they were made from, whose device and dtype the arguments must share. ``B @ A`` applies A first.
    Every operator passes the dot-product test ``<A x, y> = <x, A^H y>``.
    """

    @abstractmethod
    def __call__(self, x: Tensor, /) -> Tensor:
        """Apply the operator."""

    @abstractmethod
    def adjoint(self, y: Tensor, /) -> Tensor:
        """Apply the adjoint."""

    def normal(self, x: Tensor, /) -> Tensor:
        """Apply A^H A; operators for which that is cheaper than one after the other do better."""
        return self.adjoint(self(x))

    @property
    def H(self) -> LinearOperator:  # noqa: N802  (the field's symbol)
        """The adjoint as an operator."""
        return _Adjoint(self)

    def __matmul__(self, first: LinearOperator) -> LinearOperator:
        """Compose: ``(B @ A)(x) = B(A(x))``."""
        return _Composition(self, first)


class _Adjoint(LinearOperator):
    def __init__(self, operator: LinearOperator) -> None:
        self._operator = operator

    def __call__(self, x: Tensor, /) -> Tensor:
        return self._operator.adjoint(x)

    def adjoint(self, y: Tensor, /) -> Tensor:
        return self._operator(y)

    @property
    def H(self) -> LinearOperator:  # noqa: N802  (the field's symbol)
        return self._operator


class _Composition(LinearOperator):
    def __init__(self, second: LinearOperator, first: LinearOperator) -> None:
        self._second, self._first = second, first

    def __call__(self, x: Tensor, /) -> Tensor:
        return self._second(self._first(x))

    def adjoint(self, y: Tensor, /) -> Tensor:
        return self._first.adjoint(self._second.adjoint(y))

    def normal(self, x: Tensor, /) -> Tensor:
        return self._first.adjoint(self._second.normal(self._first(x)))
