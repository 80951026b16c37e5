"""A picture of an image and its flags, for people who look."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from ..engine.gadget import Gadget
from ..engine.records import Reconstruction
from ._flag_metadata import FLAGS, flags_of, reasons_of
from ._remarks import remarked

_Group = tuple[str, str]
_WHITE = 255
_NOTE = "overlay with contour and text burned in, not for measurement"
_WAITING = 4
_FONT, _FONTS_ACROSS = 10, 28
"""Pixels at least, and how often the font's size goes into the width."""


@dataclass(kw_only=True)
class DrawOverlay(Gadget[Reconstruction, Reconstruction]):
    """Draw the judged image with a contour around regions in doubt and its flags and reasons in words, as a series.

    It comes after ``flag_artifacts``, and before what changes the magnitudes' type: where the map of regions arrives,
    the picture of that slice follows it. Everything passes.
    """

    level: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability of a region from which on it is in the contour."""
    scale: Annotated[int, Field(ge=1, le=8)] = 2
    """Pixels of the picture for each of the image, along both axes: room for the text."""

    _judged: dict[_Group, Reconstruction] = field(init=False, default_factory=dict)

    def start(self, context: object) -> None:
        """Load what draws text: the first picture would wait for it."""
        from PIL import ImageDraw  # noqa: F401

    def receive(self, message: Reconstruction) -> Iterator[Reconstruction]:
        """Pass the message; draw once the image and its map are there."""
        yield message
        group = (message.variant, repr(message.key))
        if message.quantity == "magnitude" and message.meta.get("EchotrainFlagsOf") == message.method:
            self._judged[group] = message
            if len(self._judged) > _WAITING:
                del self._judged[next(iter(self._judged))]
        elif message.quantity == "flags" and group in self._judged:
            yield self._drawn(self._judged.pop(group), message)

    def _drawn(self, image: Reconstruction, regions: Reconstruction) -> Reconstruction:
        words = [*map(str, flags_of(image.meta)), *reasons_of(image.meta)] or [f"flags: {image.meta.get(FLAGS, '')}"]
        window = float(np.quantile(image.data, 0.998)) or 1.0
        planes = [
            overlay(plane / window, region >= self.level, words, self.scale)
            for plane, region in zip(image.data[0], regions.data[0], strict=True)
        ]
        return replace(
            image,
            data=np.stack(planes)[np.newaxis].astype(np.float32),
            quantity="overlay",
            unit="grey level",
            history=(*image.history, "draw_overlay"),
            meta=remarked(image.meta, _NOTE),
        )


def overlay(image: NDArray[np.float32], doubtful: NDArray[np.bool_], words: list[str], scale: int) -> NDArray[np.uint8]:
    """Draw one picture.

    Parameters
    ----------
    image
        (y, x) magnitude, black 0 to white 1.
    doubtful
        (y, x): what a contour is drawn around.
    words
        Text from the upper left corner; each begins a line, and is wrapped.
    scale
        Enlargement.

    Returns
    -------
        (scale y, scale x) grey levels.
    """
    from PIL import Image, ImageDraw, ImageFont

    grey = np.asarray(np.clip(image, 0, 1) * _WHITE, np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
    inside = doubtful.repeat(scale, axis=0).repeat(scale, axis=1)
    grey[inside & ~ndimage.binary_erosion(inside)] = _WHITE
    picture = Image.fromarray(grey)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(_FONT, picture.width // _FONTS_ACROSS))
    letters = max(1, int((picture.width - 4) / draw.textlength("n", font)))
    text = "\n".join(line for word in words for line in textwrap.wrap(word, letters) or [""])
    draw.rectangle(draw.multiline_textbbox((2, 2), text, font), fill=0)
    draw.multiline_text((2, 2), text, _WHITE, font)
    return np.asarray(picture, np.uint8)
