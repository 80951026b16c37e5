"""MRD streams at rest: files of stream bytes, or stdin and stdout."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO, cast

from ..engine.errors import ConfigurationError, PeerError
from ..engine.limits import Limits
from ..engine.messages import Close, Header, Message
from ..engine.mrd_codec import MrdDecoder, ReceiveBuffer, encode

STANDARD = Path("-")
"""Stands for stdin when reading and stdout when writing."""


def read_stream(path: Path, limits: Limits) -> Generator[Message]:
    """Decode a stream, message by message, until its CLOSE (which is not given) or its end.

    Raises
    ------
    ConfigurationError
        No such file; the stream breaks the protocol or ends inside a message. Everything before that has been given.
    """
    buffer = ReceiveBuffer(MrdDecoder(limits))
    with _source(path) as source:
        try:
            while count := source.readinto1(buffer.room()):
                for frame in buffer.received(count):
                    if isinstance(frame.message, Close):
                        return
                    yield frame.message
            buffer.decoder.finish()
        except PeerError as error:
            raise ConfigurationError(f"{path} is no whole MRD stream: {error}") from error


def write_stream(path: Path, header: Header, messages: Iterable[Message], before: Iterable[Message] = ()) -> None:
    """Write ``before`` (a configuration), the header, the messages and CLOSE as MRD stream bytes.

    Raises
    ------
    ConfigurationError
        The file cannot be written.
    """
    try:
        if path == STANDARD:
            _write(sys.stdout.buffer, (*before, header), messages)
            return
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                _write(file, (*before, header), messages)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}") from error


@contextmanager
def _source(path: Path) -> Iterator[BufferedIOBase]:
    if path == STANDARD:
        yield cast("BufferedIOBase", sys.stdin.buffer)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield file


def _write(file: BinaryIO, opening: Iterable[Message], messages: Iterable[Message]) -> None:
    for group in (opening, messages, (Close(),)):
        for message in group:
            file.writelines(encode(message))
    file.flush()
