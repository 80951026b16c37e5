"""Features of cases as rows of one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measurements import Reconstructor
from .cases import FlagCase, structure
from .evidence import Evidence, Search
from .features import features
from .kinds import KINDS
from .regions import REGION_FEATURES, SIDE, region_features

ARTIFACTS = ("clean", *KINDS, "structure_in_data")
_CLEAN_REGIONS = 8


class CaseRows(NamedTuple):
    """What is known of many cases."""

    names: tuple[str, ...]
    """Of the features, sorted."""
    features: dict[str, NDArray[np.float64]]
    """By artifact, (cases, features); cases of one image have one row number, NaN where there is no such case."""
    regions: NDArray[np.float64]
    """(cases, 1 + clean ones, region features): the region of the inserted structure first."""

    def joined(self, more: CaseRows) -> CaseRows:
        """Return these rows and then others, of the same features."""
        tables = {artifact: np.concatenate([rows, more.features[artifact]]) for artifact, rows in self.features.items()}
        return CaseRows(self.names, tables, np.concatenate([self.regions, more.regions]))


def case_row(
    cases: Sequence[FlagCase],
    judged: Reconstructor,
    conventional: Reconstructor,
    search: Search | None,
    *,
    seed: int,
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Reconstruct one image's cases by both methods, search their worst changes, and return their features.

    Parameters
    ----------
    cases, judged, conventional
        As ``feature_table`` has them.
    search
        None: features of the worst change are left out.
    seed
        Draws clean regions.

    Returns
    -------
    names
        Of the features.
    row
        (numbers,) for ``case_rows``: the same number for every image.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, float]] = {}
    clean: Evidence | None = None
    regions = np.full((1 + _CLEAN_REGIONS, len(REGION_FEATURES)), np.nan)
    for case in cases:
        if case.place is not None and clean is not None:
            evidence = Evidence(
                clean.measurements,
                clean.judged + structure(clean.judged, case.place),
                clean.conventional,
                worst_change=clean.worst_change,
            )
            regions[0] = region_features(evidence)[case.place[0] // SIDE, case.place[1] // SIDE]
        else:
            judged_image, conventional_image = (m(case.measurements)[0].cpu().numpy() for m in (judged, conventional))
            change = None if search is None else search(case.measurements)
            evidence = Evidence(case.measurements, judged_image, conventional_image, worst_change=change)
        if case.artifact == "clean":
            clean = evidence
            rows, columns = np.nonzero(clean.body)
            drawn = rng.integers(len(rows), size=_CLEAN_REGIONS)
            regions[1:] = region_features(clean)[rows[drawn] // SIDE, columns[drawn] // SIDE]
        found[case.artifact] = features(evidence)
    names = tuple(sorted(found["clean"]))
    table = [[found[a][n] for n in names] if a in found else [np.nan] * len(names) for a in ARTIFACTS]
    return names, np.concatenate([np.ravel(table), regions.ravel()])


def case_rows(names: tuple[str, ...], table: NDArray[np.float64]) -> CaseRows:
    """Take rows of ``case_row`` apart."""
    count = len(ARTIFACTS) * len(names)
    parts = table[:, :count].reshape(len(table), len(ARTIFACTS), len(names))
    regions = table[:, count:].reshape(len(table), 1 + _CLEAN_REGIONS, len(REGION_FEATURES))
    return CaseRows(names, {artifact: parts[:, n] for n, artifact in enumerate(ARTIFACTS)}, regions)
