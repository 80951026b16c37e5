"""Reconstruction without a server: an engine in this process, a scan in, an image file out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Self

from ..engine.chain_config import ChainLibrary
from ..engine.engine import Engine
from ..engine.errors import ConfigurationError
from ..engine.image_file import ImageFile
from ..engine.messages import Close, ConfigName, ConfigText, Image, Message
from ..engine.mrd_codec import encode
from .async_client import AsyncSession, from_blocking
from .memory_connection import MemoryConnection
from .scan_file import Scan
from .scan_stream import STANDARD

DEFAULT_CHAIN = "default"


def reconstruct_offline(
    scan: Scan,
    chain: str | None,
    output: Path,
    *,
    overwrite: bool = False,
    chains: Path | None = None,
    on_message: Callable[[Message], None] | None = None,
) -> int:
    """Reconstruct a scan.

    Parameters
    ----------
    scan
        What to reconstruct.
    chain
        Name of a chain, path of a chain's TOML file, or None for what the scan asks for (else ``default``).
    output
        MRD HDF5 file for the images; ``-`` writes them as an MRD stream to stdout.
    overwrite
        Whether a file that is there is replaced.
    chains
        Folder with chains of your own.
    on_message
        Called with everything that the chain gives.

    Returns
    -------
    int
        Images written.

    Raises
    ------
    ConfigurationError
        The output cannot be written.
    RemoteError
        The chain failed; what was finished before is in the file.
    """
    if output != STANDARD and output.exists() and not overwrite:
        raise ConfigurationError(f"{output} is there already; give another --output, or --overwrite")
    library = ChainLibrary(*([chains] if chains is not None else []))
    return asyncio.run(_run(scan, chain, Engine(library=library), output, on_message))


def _config(chain: str) -> ConfigName | ConfigText:
    if not chain.endswith(".toml"):
        return ConfigName(chain)
    file = Path(chain)
    if not file.is_file():
        raise ConfigurationError(f"there is no chain file {file}")
    return ConfigText(file.read_text(encoding="utf-8"))


async def _run(
    scan: Scan,
    chain: str | None,
    engine: Engine,
    output: Path,
    on_message: Callable[[Message], None] | None,
) -> int:
    connection = MemoryConnection(engine)
    if chain is None:  # as the scan asks; parameters may follow its header
        await connection.send(scan.config or ConfigName(DEFAULT_CHAIN))
        await connection.send(scan.header)
    else:
        await connection.open(_config(chain), scan.header)
    async with AsyncSession(connection) as session:
        with _Output(output) as images:
            async for message in session.exchange(from_blocking(scan.messages)):
                if isinstance(message, Image):
                    images.write(message)
                if on_message is not None:
                    on_message(message)
        return images.count


class _Output:
    """An image file, or stdout."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: ImageFile | None = None
        self.count = 0

    def write(self, image: Image) -> None:
        if self._path == STANDARD:
            self._to_stdout(image)
        else:
            if self._file is None:
                self._file = ImageFile(self._path, overwrite=True)  # whether it may was asked at the start
            self._file.append(image)
        self.count += 1

    def _to_stdout(self, message: Message) -> None:
        import sys

        for part in encode(message):
            sys.stdout.buffer.write(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()
        if self._path == STANDARD:
            self._to_stdout(Close())
