"""``make fuzz``: atheris against both codecs and the session, for a bounded time.

Whatever bytes come, only ``EchotrainError`` may come out, and nothing may be asked for beyond the limits. A finding is
written to ``crash-…`` in the current folder, as libFuzzer does; give that file as argument to see it again.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["echotrain", "msgpack"]):
    from echotrain.engine import messages as m
    from echotrain.engine.errors import EchotrainError
    from echotrain.engine.limits import Limits
    from echotrain.engine.mrd_codec import MrdDecoder, ReceiveBuffer, encode_bytes
    from echotrain.engine.mrd_header import parse_header
    from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, WAVEFORM_DTYPE
    from echotrain.engine.session import Session, State
    from echotrain.engine.zmq_codec import encode
    from echotrain.engine.zmq_control import Ack, Open, decode, encode_control

LIMITS = Limits(message_bytes=1 << 20, header_bytes=1 << 16, text_bytes=1 << 16)
SECONDS = 60


def fuzz(data: bytes) -> None:
    """Give the bytes to one of the targets; the first byte chooses."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def mrd_stream(data: bytes) -> None:
    """MRD decoder, all at once, and through the receive buffer in pieces: the same messages must come."""
    whole = _decoded([data])
    cut = 1 + (data[0] if data else 0)
    pieces = _decoded([data[at : at + cut] for at in range(0, len(data), cut)])
    if whole != pieces:
        raise AssertionError(f"cut at {cut}: {pieces}, at once: {whole}")


def mrd_session(data: bytes) -> None:
    """MRD stream into a session; what it answers must be fit to be sent."""
    session = Session()
    buffer = ReceiveBuffer(MrdDecoder(LIMITS))
    try:
        for message in _frames(buffer, [data]):
            for order in session.receive(message):
                answer = getattr(order, "message", None)
                if isinstance(answer, m.Close):
                    encode_bytes(answer)
    except EchotrainError as error:
        was_closed = session.state is State.CLOSED
        for order in session.fail(error):
            encode_bytes(order.message)  # type: ignore[union-attr]  # fail gives Send alone
        if not was_closed and session.state is not State.CLOSED:
            raise AssertionError("a failed session is not closed") from error


def zmq_message(data: bytes) -> None:
    """One ZeroMQ message: frames are cut where 16-bit lengths say."""
    frames: list[bytes | memoryview] = []
    while len(data) >= 2:
        length = int.from_bytes(data[:2], "little")
        frames.append(data[2 : 2 + length])
        data = data[2 + length :]
    with contextlib.suppress(EchotrainError):
        decode(frames, LIMITS)


def header(data: bytes) -> None:
    """The MRD XML header."""
    with contextlib.suppress(EchotrainError):
        parse_header(data, max_bytes=LIMITS.header_bytes)


TARGETS = (mrd_stream, mrd_session, zmq_message, header)


def _frames(buffer: ReceiveBuffer, pieces: Sequence[bytes]) -> Iterator[m.Message]:
    for piece in pieces:
        left = memoryview(piece)
        while left:
            room = buffer.room()
            count = min(len(room), len(left))
            room[:count] = left[:count]
            left = left[count:]
            yield from (frame.message for frame in buffer.received(count))
    buffer.decoder.finish()


def _decoded(pieces: Sequence[bytes]) -> tuple[bytes, str]:
    """Return the bytes of all messages, encoded again and joined, and how the stream ended."""
    found: list[bytes] = []
    try:
        found.extend(map(_bytes, _frames(ReceiveBuffer(MrdDecoder(LIMITS)), pieces)))
    except EchotrainError as error:
        return b"".join(found), error.code
    return b"".join(found), "complete"


def _bytes(message: m.Message) -> bytes:
    try:
        return encode_bytes(message)
    except EchotrainError as error:
        return repr(error).encode()


def write_seeds(folder: Path) -> None:
    """Write a valid input for every target, so that the fuzzer begins behind the first length check."""
    headers = np.zeros(3, ACQUISITION_DTYPE)
    headers["number_of_samples"], headers["active_channels"] = 4, 2
    readouts = m.Readouts(headers, np.ones((3, 2, 4), np.complex64))
    waveform = m.Waveform(np.zeros((), WAVEFORM_DTYPE), np.zeros((0, 0), np.uint32))
    xml = (
        b"<ismrmrdHeader><encoding><encodedSpace><matrixSize><x>4</x><y>3</y><z>1</z></matrixSize></encodedSpace>"
        b"<trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"
    )
    start = (m.ConfigName("default"), m.Header(xml))
    data = (m.Text("{}"), readouts, waveform, m.Array(np.zeros((2, 3), np.float32)), m.Query(1, "version"), m.Close())
    stream = b"".join(map(encode_bytes, (*start, *data)))
    packets = [encode(message).frames("token", number) for number, message in enumerate(data, 1)]
    packets += [encode_control(Open(*start)), encode_control(Ack("token", 1, 1000))]
    seeds = [b"\0" + stream, b"\1" + stream, b"\3" + xml]
    seeds += [b"\2" + b"".join(len(f).to_bytes(2, "little") + bytes(f) for f in frames) for frames in packets]
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number}").write_bytes(seed)


def main() -> None:
    """Fuzz for ``--seconds N`` (60), or show a finding given as a file; other flags are libFuzzer's."""
    arguments = sys.argv[1:]
    seconds = SECONDS
    if "--seconds" in arguments:
        at = arguments.index("--seconds")
        seconds = int(arguments[at + 1])
        del arguments[at : at + 2]
    if not any(Path(argument).exists() for argument in arguments):
        arguments.append(tempfile.mkdtemp(prefix="echotrain-fuzz-"))  # libFuzzer ends the process: nothing can tidy up
        write_seeds(Path(arguments[-1]))
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=8192", "-rss_limit_mb=1024", *arguments], fuzz)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
