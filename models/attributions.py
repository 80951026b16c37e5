"""The data that models are trained on, as their licences want them named."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .model_card import Source

ATTRIBUTIONS: Mapping[str, Source] = MappingProxyType(
    {
        "open_ms_longitudinal": Source(
            title="Lesjak, Pernuš, Likar, Špiclin: Validation of White-Matter Lesion Change Detection Methods on a "
            "Novel Publicly Available MRI Image Database, Neuroinformatics 2016; Laboratory of Imaging Technologies, "
            "University of Ljubljana",
            licence="CC-BY",
        ),
        "open_ms_cross_sectional": Source(
            title="Lesjak et al.: A Novel Public MR Image Dataset of Multiple Sclerosis Patients With Lesion "
            "Segmentations Based on Multi-rater Consensus, Neuroinformatics 2017, DOI 10.1007/s12021-017-9348-7",
            licence="CC-BY",
        ),
        "cheng": Source(
            title="Jun Cheng: brain tumor dataset, figshare 1512427; PNG conversion by S. Das (MIT)",
            licence="CC BY 4.0, as its mirrors state it",
        ),
    }
)
"""By the name in ``source`` of an image file."""
