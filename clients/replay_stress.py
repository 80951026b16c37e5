"""What a perturbation of the raw data does to a server's images: the same scan clean and perturbed, images compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.messages import Image, Message, Text
from ..gadgets._flag_metadata import FLAGS, NONE
from .replay_compare import ImageName, name_image

_PERCENTILE = 99
_SMALLEST = 11  # pixels along each axis that SSIM needs

Magnitudes = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SeriesChange:
    """How the images of one series changed. Figures are of magnitudes; None where there is nothing to take them of."""

    series: int
    description: str
    """As the images say it, or nothing."""
    images: int
    """Pairs that were compared."""
    alone: int
    """Images that came in one of the two runs only."""
    unlike: int
    """Pairs of other shapes, or with pixels that are not finite: not compared."""
    change: float | None
    """norm(perturbed - clean) / norm(clean)."""
    amplification: float | None
    """That over the relative size of the perturbation."""
    largest: float | None
    """Largest change of a pixel, in 99th percentiles of its clean image."""
    ssim: float | None
    """Mean over slices; 1 is alike."""
    flags_clean: Mapping[str, int]
    """Artifact flag with its severity -> images of the clean run that raise it."""
    flags: Mapping[str, int]
    """Artifact flag with its severity -> images of the perturbed run that raise it."""


@dataclass(frozen=True, kw_only=True)
class StressReport:
    """One file, perturbed in one way, against the same file as it is."""

    file: str
    run: str
    """``perturbed``, or ``control`` for noise of the same norm."""
    perturbations: tuple[str, ...]
    """What was done, each as the JSON text that makes it again."""
    size: float | None
    """norm(difference) / norm of the samples as sent; None where readouts were dropped, repeated or relabelled."""
    series: tuple[SeriesChange, ...]
    warnings: tuple[str, ...]
    """Warnings that the server sent in this run and not in the clean one."""


def changed_series(
    clean: Sequence[Message], perturbed: Sequence[Message], size: float | None
) -> tuple[SeriesChange, ...]:
    """Compare the images of two sessions, series by series.

    Parameters
    ----------
    clean, perturbed
        What came back; images are paired by series, index and counters, those that agree in all of them in order.
    size
        Relative size of the perturbation.
    """
    first, second = _named(clean), _named(perturbed)
    numbers = sorted({name.series for name in (*first, *second)})
    return tuple(
        _series(
            number,
            {name: image for name, image in first.items() if name.series == number},
            {name: image for name, image in second.items() if name.series == number},
            size,
        )
        for number in numbers
    )


def new_warnings(clean: Sequence[Message], perturbed: Sequence[Message]) -> tuple[str, ...]:
    """Return the warnings of the second session that the first has not, each once."""
    known = dict.fromkeys(_warnings(clean))
    return tuple(text for text in dict.fromkeys(_warnings(perturbed)) if text not in known)


def _warnings(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages if isinstance(message, Text) and message.text.startswith("WRN")]


def _named(messages: Sequence[Message]) -> dict[ImageName, Image]:
    seen: Counter[ImageName] = Counter()
    named = {}
    for message in messages:
        if isinstance(message, Image):
            name = name_image(message)
            named[name._replace(occurrence=seen[name])] = message
            seen[name] += 1
    return named


def _series(
    number: int, clean: Mapping[ImageName, Image], perturbed: Mapping[ImageName, Image], size: float | None
) -> SeriesChange:
    both = [(_magnitudes(clean[name]), _magnitudes(perturbed[name])) for name in sorted(clean.keys() & perturbed)]
    pairs = [(a, b) for a, b in both if a.shape == b.shape and np.isfinite(a).all() and np.isfinite(b).all()]
    reference = sum(float(np.square(a).sum()) for a, _ in pairs)
    difference = sum(float(np.square(b - a).sum()) for a, b in pairs)
    change = (difference / reference) ** 0.5 if reference else None
    largest = [float(np.abs(b - a).max()) / top for a, b in pairs if (top := float(np.percentile(a, _PERCENTILE))) > 0]
    some = next(iter((clean or perturbed).values()))
    return SeriesChange(
        series=number,
        description=str(some.meta.get("SeriesDescription", "")),
        images=len(pairs),
        alone=len(clean.keys() ^ perturbed.keys()),
        unlike=len(both) - len(pairs),
        change=change,
        amplification=change / size if change is not None and size else None,
        largest=max(largest, default=None),
        ssim=_ssim(pairs),
        flags_clean=_flags(clean),
        flags=_flags(perturbed),
    )


def _magnitudes(image: Image) -> Magnitudes:
    """(channels, z, y, x) float64; integers that images rescale to their units, in those."""
    slope = image.meta.get("RescaleSlope", "1")
    scale = float(slope) if isinstance(slope, str) else 1.0
    wide = image.pixels.astype(np.result_type(image.pixels, np.float64))  # the modulus of an int16 may be none
    magnitudes: Magnitudes = np.abs(wide) * scale
    return magnitudes


def _ssim(pairs: Sequence[tuple[Magnitudes, Magnitudes]]) -> float | None:
    """Mean over slices, with the clean slice's maximum as range; without scaling one to the other."""
    slices = [
        (a, b)
        for first, second in pairs
        for a, b in zip(*(part.reshape(-1, *part.shape[-2:]) for part in (first, second)), strict=True)
        if min(a.shape) >= _SMALLEST and a.max() > 0
    ]
    if not slices:
        return None
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    total = 0.0
    for a, b in slices:
        x, r = (torch.from_numpy(part / a.max())[None, None] for part in (b, a))
        total += float(torch.as_tensor(structural_similarity_index_measure(x, r, data_range=1.0)))
    return total / len(slices)


def _flags(images: Mapping[ImageName, Image]) -> Mapping[str, int]:
    texts = (image.meta.get(FLAGS, ()) for image in images.values())
    every = (text for found in texts for text in ((found,) if isinstance(found, str) else found) if text != NONE)
    return dict(Counter(text.partition(",")[0] for text in every))
