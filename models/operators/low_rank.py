"""Structure whose matrices have low rank: windows of k-space, and the shrinkage of singular values."""

from __future__ import annotations

import torch
from torch import Tensor

from .linear_operator import LinearOperator


class BlockHankel(LinearOperator):
    """All windows of k-space as the rows of a matrix: (..., coils, ky, kx) to (..., windows, coils * wy * wx).

    The matrix has low rank where coil sensitivities are smooth, the support is limited or the phase varies slowly.
    P. J. Shin et al., Magn. Reson. Med. 72, 959 (2014); J. P. Haldar, IEEE Trans. Med. Imaging 33, 668 (2014).

    Parameters
    ----------
    grid
        (ky, kx) of k-space.
    window
        (wy, wx), each at most the grid's.
    """

    def __init__(self, grid: tuple[int, int], window: tuple[int, int]) -> None:
        self.grid, self.window = grid, window
        self._places = (grid[0] - window[0] + 1, grid[1] - window[1] + 1)

    def __call__(self, x: Tensor, /) -> Tensor:
        """Cut every window that lies inside out."""
        (wy, wx), coils = self.window, x.shape[-3]
        windows = x.unfold(-2, wy, 1).unfold(-2, wx, 1).movedim(-5, -3)  # (..., places y, places x, coils, wy, wx)
        return windows.reshape(*x.shape[:-3], -1, coils * wy * wx)

    def adjoint(self, y: Tensor, /) -> Tensor:
        """Add every window up where it came from."""
        (wy, wx), (py, px) = self.window, self._places
        windows = y.reshape(*y.shape[:-2], py, px, -1, wy, wx).movedim(-3, -5)
        out = y.new_zeros(*windows.shape[:-4], *self.grid)
        for dy in range(wy):
            for dx in range(wx):
                out[..., dy : dy + py, dx : dx + px] += windows[..., dy, dx]
        return out

    def normal(self, x: Tensor, /) -> Tensor:
        """Multiply each sample by the number of windows that hold it."""
        counts = [_coverage(n, w, x) for n, w in zip(self.grid, self.window, strict=True)]
        return x * counts[0][:, None] * counts[1]


def singular_value_threshold(matrix: Tensor, threshold: Tensor | float) -> Tensor:
    """Shrink singular values: the proximal map of ``threshold`` times the nuclear norm.

    J.-F. Cai et al., SIAM J. Optim. 20, 1956 (2010).

    Parameters
    ----------
    matrix
        (..., rows, columns) real or complex, such as ``BlockHankel``'s, or the Casorati matrix of a series of images
        (..., frames, pixels).
    threshold
        In the unit of the matrix; broadcasts against singular values (..., 1).
    """
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return (u * (s - threshold).clamp(min=0).unsqueeze(-2)) @ vh


def _coverage(n: int, window: int, like: Tensor) -> Tensor:
    """How many windows hold each of n samples."""
    index = torch.arange(n, device=like.device)
    first, last = (index - window + 1).clamp(min=0), index.clamp(max=n - window)
    return (last - first + 1).to(like.real.dtype)
