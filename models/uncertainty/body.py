"""Where the body is: pixels that a risk counts."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

_BODY = 0.1  # of the brightest pixel: what is above counts as body, as in simulated scans


def body_mask(magnitude: Tensor) -> Tensor:
    """Return the pixels above a tenth of the brightest, and all that they enclose (cerebrospinal fluid, bone).

    The background, which any interval holds, would hide in a share of all pixels what is missed inside.

    Parameters
    ----------
    magnitude
        (batch, y, x) real: the truth, on the CPU.

    Returns
    -------
        (batch, y, x) bool.
    """
    bright = magnitude >= _BODY * magnitude.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(magnitude.dtype).tiny)
    filled = [ndimage.binary_fill_holes(one) for one in bright.numpy()]
    return torch.from_numpy(np.stack(filled))
