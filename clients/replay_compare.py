"""Whether repeated scans give the same images, bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..engine.messages import Image

_NAMED_SESSIONS = 3  # per variant of an image; more would bury the rest of the report


class ImageName(NamedTuple):
    """Which image of a scan this is."""

    series: int
    image: int
    repetition: int
    set: int
    phase: int
    contrast: int
    slice: int
    average: int
    occurrence: int = 0
    """Counts images of one session that agree in everything above."""

    def __str__(self) -> str:
        counters = {name: getattr(self, name) for name in self._fields[2:]}
        others = ", ".join(f"{name} {value}" for name, value in counters.items() if value or name == "slice")
        return f"series {self.series} index {self.image} ({others})"


def name_image(image: Image) -> ImageName:
    """Return an image's name, as its header has it."""
    header = image.header
    counters = (int(header[name]) for name in ImageName._fields[2:-1])
    return ImageName(int(header["image_series_index"]), int(header["image_index"]), *counters)


def digest_image(image: Image) -> bytes:
    """Return the SHA-256 of an image's header (series and index included) and pixels.

    The length of the metadata is left out: they may name the session, and they are no part of the image.
    """
    header = image.header.copy()
    header["attribute_string_len"] = 0
    digest = hashlib.sha256(header.tobytes())
    digest.update(np.ascontiguousarray(image.pixels).reshape(-1).view(np.uint8).data)
    return digest.digest()


@dataclass(frozen=True, kw_only=True)
class ImageDifference:
    """An image that was not the same in every session of its file."""

    file: str
    image: str
    text: str
    """What differed, and in which sessions."""


@dataclass(slots=True)
class _Variant:
    sessions: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, session: str) -> None:
        self.sessions += 1
        if len(self.named) < _NAMED_SESSIONS:
            self.named.append(session)

    def __str__(self) -> str:
        more = self.sessions - len(self.named)
        return ", ".join(self.named) + (f" and {more} more" if more else "")


class ImageComparison:
    """Images of all sessions of one file, by their digests: what is kept does not grow with the sessions.

    Parameters
    ----------
    file
        Name of the file.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._variants: dict[ImageName, dict[bytes, _Variant]] = {}
        self._completed = 0
        self._came: dict[ImageName, int] = {}

    def add(self, session: str, images: Iterable[tuple[ImageName, bytes]], *, completed: bool) -> None:
        """Add the images of one session; one that did not complete may lack some."""
        seen: dict[ImageName, int] = {}
        self._completed += completed
        for name, digest in images:
            occurrence = seen[name] = seen.get(name, -1) + 1
            which = name._replace(occurrence=occurrence)
            self._variants.setdefault(which, {}).setdefault(digest, _Variant()).add(session)
            self._came[which] = self._came.get(which, 0) + completed

    def differences(self) -> tuple[ImageDifference, ...]:
        """Return the images that were not the same everywhere, or that some completed sessions did not get."""
        found = []
        for name, variants in sorted(self._variants.items()):
            problems = []
            if len(variants) > 1:
                usual, *others = sorted(variants.values(), key=lambda v: -v.sessions)
                problems.append(f"{'; '.join(f'in {v}' for v in others)} it differs from that in {usual}")
            if self._came[name] < self._completed:
                problems.append(f"it came in {self._came[name]} of {self._completed} completed sessions")
            if problems:
                found.append(ImageDifference(file=self._file, image=str(name), text="; ".join(problems)))
        return tuple(found)
