"""Inner products of the items of a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def inner(a: Tensor, b: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    """Return the real part of a^H b of each item.

    Row by row, then over the rows: several threads share a long sum in one way if it is alone and in another if it is
    one of a batch, and rounding tells. So it is the same to the bit whatever an item is computed together with.

    Parameters
    ----------
    a, b
        (batch, ...) real or complex, of one shape and dtype.
    dtype
        Of the sums, real; that of the parts of ``a`` by default.

    Returns
    -------
        (batch,) real.
    """
    if a.is_complex():
        a, b = (torch.view_as_real(x.resolve_conj()).flatten(-2) for x in (a, b))
    return (a * b).sum(dim=-1, dtype=dtype).reshape(len(a), -1).sum(dim=1)
