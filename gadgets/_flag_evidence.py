"""The images of one slice or volume, and its k-space, as evidence for flags."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..engine.records import CalibratedKSpace, Reconstruction
from ..models.flags.evidence import Evidence
from ..models.partitions import as_slices
from ._measurements import measurements_of


def evidence_of(
    message: CalibratedKSpace, images: Sequence[Reconstruction], judged: str, conventional: str
) -> tuple[list[Evidence], Reconstruction]:
    """Gather what is known of each slice.

    Parameters
    ----------
    message
        The k-space, with its maps, and the worst change that was found of it, which counts if it is the judged model's.
    images
        All that came of it; a map ``standard_deviation`` among them is the spread of posterior samples.
    judged
        Name of the model whose image is judged.
    conventional
        Method of the image that it is compared with.

    Returns
    -------
    evidence
        Of each slice.
    judged
        The image that is judged.

    Raises
    ------
    ValueError
        An image is not there, not complex, or of another grid than k-space; or partitions cannot be told apart.
    """
    mine = _found(images, lambda image: _model(image) == judged, judged)
    other = _found(images, lambda image: image.method == conventional, conventional)
    spread = next((image for image in images if image.quantity == "standard_deviation"), None)
    slices = as_slices(measurements_of(message)).split()
    shape = (len(slices), *slices[0].maps.shape[2:])
    for image in (mine, other):
        if image.data.size != np.prod(shape):
            raise ValueError(
                f"the image of {image.method} is {image.data.shape[1:]}, its k-space has a grid of {shape}: what was "
                "cropped cannot be compared with k-space"
            )
    judged_planes, other_planes = mine.data.reshape(shape), other.data.reshape(shape)
    deviation = None if spread is None or spread.data.size != np.prod(shape) else spread.data.reshape(shape)
    sensitivity = message.kspace.meta.get("EchotrainSensitivity")
    change = message.worst_change if message.kspace.meta.get("EchotrainSensitivityModel") == judged else None
    return [
        Evidence(
            one,
            np.ascontiguousarray(judged_planes[n], np.complex64),
            np.ascontiguousarray(other_planes[n], np.complex64),
            deviation=None if deviation is None else np.ascontiguousarray(deviation[n], np.float32),
            sensitivity=None if sensitivity is None else float(str(sensitivity)),
            worst_change=None if change is None else change[n],
        )
        for n, one in enumerate(slices)
    ], mine


def _found(images: Sequence[Reconstruction], chosen: Callable[[Reconstruction], bool], name: str) -> Reconstruction:
    candidates = [image for image in images if chosen(image)]
    found = next((image for image in candidates if image.quantity == "complex"), None)
    if found is None:
        what = f"is {candidates[0].quantity}, set magnitude = false" if candidates else "did not come"
        raise ValueError(f"the image of {name} {what}")
    return found


def _model(image: Reconstruction) -> str:
    label = image.meta.get("EchotrainModel", "")
    return label.partition("@")[0] if isinstance(label, str) else ""
