"""The features of many simulated cases, computed or taken up where that was interrupted."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..measurements import Reconstructor
from ..uncertainty.kept_rows import KeptRows
from .case_rows import CaseRows, case_row, case_rows
from .cases import Cases
from .evidence import Evidence, Search
from .features import features


def feature_table(
    name: str,
    cases: Iterable[Cases],
    judged: Reconstructor,
    conventional: Reconstructor,
    search: Search | None,
    kept: KeptRows,
) -> CaseRows:
    """Compute the features of all cases.

    Parameters
    ----------
    name
        Of the table in ``kept``.
    cases
        Of one image each, as ``flag_cases`` gives them; at least one image.
    judged, conventional
        Methods that reconstruct them.
    search
        Finds the worst change of a scan for the judged method; None: there are no features of it.
    kept
        Of the same methods and cases: what is there is not computed again.
    """

    def row(one: Cases) -> NDArray[np.float64]:
        return case_row(one(), judged, conventional, search, seed=0)[1]

    # names are those of any evidence: a row says nothing of them
    rows = kept.table(name, cases, row)
    return case_rows(_names(searched=search is not None), rows)


def _names(*, searched: bool) -> tuple[str, ...]:
    """Names of the features of two images of one slice, sorted."""
    import torch

    from ..measurements import Measurements

    rng = np.random.default_rng(0)
    image = np.asarray(rng.standard_normal((16, 16)) + 1j, np.complex64)
    kspace = torch.from_numpy(image)[None, None]
    mask = torch.ones(1, 1, 16, 1, dtype=torch.bool)
    scan = Measurements(kspace, mask, torch.ones_like(kspace), 1.0)
    return tuple(sorted(features(Evidence(scan, image, image, worst_change=image[None] if searched else None))))
