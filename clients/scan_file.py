"""A scan at rest: MRD HDF5 files and MRD streams, read and written in bulk.

What a path holds is read from its first bytes, not from its name; what is written is HDF5 for ``.h5`` and ``.hdf5``,
an MRD stream otherwise. ``-`` is a stream on stdin or stdout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from ..engine.errors import ConfigurationError
from ..engine.limits import Limits
from ..engine.messages import ConfigName, ConfigText, Header, Message, Parameters, Text
from . import scan_hdf5, scan_stream

BLOCK_READOUTS = 64
"""Most readouts in one block of an HDF5 file, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan: its header and what follows it."""

    header: Header
    messages: Iterable[Message] = field(repr=False)
    """Blocks of readouts, waveforms and, from a stream, whatever else it holds. From a file it is lazy and reads anew
    each time that it is iterated over; it raises ConfigurationError if the file is damaged further on. From stdin it
    can be iterated over once."""
    source: str = "memory"
    """Where it comes from, for the log."""
    config: ConfigName | ConfigText | None = None
    """The chain that a stream asks for; None for HDF5 files, which name none."""
    readouts: int | None = None
    """Number of readouts where the file says so (HDF5); None for a stream."""


@dataclass(frozen=True)
class _Anew:
    """An iterable that calls ``read`` whenever it is iterated over."""

    read: Callable[[], Iterator[Message]]

    def __iter__(self) -> Iterator[Message]:
        return self.read()


def read_scan(
    source: str | Path,
    *,
    group: str = "dataset",
    block_readouts: int = BLOCK_READOUTS,
    limits: Limits | None = None,
) -> Scan:
    """Open a scan.

    Parameters
    ----------
    source
        An MRD HDF5 file, a file of MRD stream bytes (a recording), or ``-`` for a stream on stdin.
    group
        Group of an HDF5 file.
    block_readouts
        Most readouts in one ``Readouts`` block; runs of one shape are cut to this. A stream's blocks are as its decoder
        makes them.
    limits
        Largest sizes that are accepted from a stream.

    Raises
    ------
    ConfigurationError
        No such file or group, neither HDF5 nor MRD stream, truncated, no header; the text names what is there.
    """
    if block_readouts < 1:
        raise ConfigurationError(f"a block holds at least 1 readout, got {block_readouts}")
    path = Path(source)
    if path != scan_stream.STANDARD:
        if not path.is_file():
            raise ConfigurationError(f"there is no file {path}")
        if h5py.is_hdf5(path):
            header, readouts = scan_hdf5.read_header(path, group)
            return Scan(
                source=str(path),
                header=header,
                readouts=readouts,
                messages=_Anew(lambda: scan_hdf5.read_messages(path, group, block_readouts)),
            )
    return _from_stream(path, Limits() if limits is None else limits)


def write_scan(
    target: str | Path,
    header: Header,
    messages: Iterable[Message],
    *,
    config: ConfigName | ConfigText | None = None,
    group: str = "dataset",
) -> None:
    """Write a scan, to HDF5 for ``.h5`` and ``.hdf5``, else as an MRD stream; ``-`` is stdout.

    Parameters
    ----------
    target
        File; it appears under its name once it is whole.
    header, messages
        The scan: ``Readouts`` and ``Waveform``, and into a stream any other message too.
    config
        The chain that a stream asks for.
    group
        Group of an HDF5 file.

    Raises
    ------
    ConfigurationError
        The file cannot be written, or cannot hold such a message.
    """
    path = Path(target)
    if path.suffix.lower() in {".h5", ".hdf5"}:
        scan_hdf5.write_messages(path, header, messages, group)
    else:
        scan_stream.write_stream(path, header, messages, () if config is None else (config,))


def _from_stream(path: Path, limits: Limits) -> Scan:
    opened = scan_stream.read_stream(path, limits)
    config: ConfigName | ConfigText | None = None
    for message in opened:
        if isinstance(message, ConfigName | ConfigText):
            config = message
        elif isinstance(message, Header):
            break
        elif not isinstance(message, Text | Parameters):
            raise ConfigurationError(
                f"{path} holds {type(message).__name__} before any header; an MRD header comes first"
            )
    else:
        raise ConfigurationError(f"{path} is neither MRD HDF5 nor an MRD stream with a header")
    header = message
    if path == scan_stream.STANDARD:
        once = iter([opened])

        def read() -> Iterator[Message]:
            rest = next(once, None)
            if rest is None:
                raise ConfigurationError("a scan on stdin can be read once; save it to a file to read it again")
            return rest

        return Scan(source="stdin", header=header, config=config, messages=_Anew(read))
    opened.close()
    return Scan(source=str(path), header=header, config=config, messages=_Anew(lambda: _after_header(path, limits)))


def _after_header(path: Path, limits: Limits) -> Iterator[Message]:
    messages = scan_stream.read_stream(path, limits)
    for message in messages:
        if isinstance(message, Header):
            break
    yield from messages
