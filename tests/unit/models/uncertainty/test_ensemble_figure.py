"""Ensembles in a picture."""

import numpy as np
import torch
from PIL import Image

from echotrain.models.uncertainty.ensemble_figure import draw_ensembles


def test_each_ensemble_has_a_row_of_its_own(tmp_path):
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    reference = torch.from_numpy(np.where(x**2 + y**2 < 0.6, 2 + np.cos(9 * x), 0.0)).float()
    generator = torch.Generator().manual_seed(0)
    samples = reference + 0.1 * torch.randn(4, 32, 32, dtype=torch.complex64, generator=generator)
    heights = []
    for names in (("a",), ("a", "b")):
        file = tmp_path / "e.png"
        draw_ensembles(file, "title", reference, ("other", samples[0]), dict.fromkeys(names, samples))
        with Image.open(file) as picture:
            heights.append(picture.height)
            assert picture.width > 600
    assert 1.3 < heights[1] / heights[0] < 1.7
