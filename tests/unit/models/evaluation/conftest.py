import numpy as np
import pytest


@pytest.fixture
def heads():
    """Two slices (2, 64, 64) uint8 of something like a head."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    return np.array([np.where(x**2 + (y / r) ** 2 < 0.6, 120 + 60 * np.cos(9 * x * r), 0) for r in (0.9, 1)], np.uint8)
