"""Images written to an MRD file at the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..engine.errors import ConfigurationError
from ..engine.gadget import Context, Gadget
from ..engine.image_file import ImageFile
from ..engine.messages import Image, Text

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(kw_only=True)
class WriteImages(Gadget[Image, Image | Text]):
    """Write every image to an MRD HDF5 file in the operator's folder, named after the session, and pass it on."""

    _path: Path = field(init=False)
    _file: ImageFile | None = field(init=False, default=None)
    _count: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        """Check that the operator gave a folder."""
        if context.images is None:
            raise ConfigurationError("write_images: the engine was given no folder for images; start it with one")
        if not _PLAIN.fullmatch(context.session):  # the id is the engine's own; a path in it would be a mistake of ours
            raise ConfigurationError(f"write_images: session id {context.session[:100]!r} is no plain file name")
        self._path = context.images / f"{context.session}.h5"

    def receive(self, message: Image) -> Iterable[Image | Text]:
        """Write one image and pass it on."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = ImageFile(self._path)
        self._file.append(message)
        self._count += 1
        return (message,)

    def finish(self) -> Iterator[Image | Text]:
        """Close the file and say how many images it holds."""
        if self._file is not None:
            self._file.close()
            yield Text(f"DBG write_images: {self._count} images in {self._path.name}")
