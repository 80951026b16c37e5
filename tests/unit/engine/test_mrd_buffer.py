from __future__ import annotations

import struct

import numpy as np

from echotrain.engine.limits import Limits
from echotrain.engine.mrd_buffer import KEPT, LARGEST, SMALLEST, ReceiveBuffer
from echotrain.engine.mrd_decode import MrdDecoder
from echotrain.engine.mrd_encode import encode_bytes


def receive(buffer, raw):
    """Push bytes through a buffer as a socket would."""
    frames, position = [], 0
    while position < len(raw):
        room = buffer.room()
        count = min(len(room), len(raw) - position)
        room[:count] = raw[position : position + count]
        del room
        position += count
        frames += buffer.received(count)
    return frames


def test_memory_is_taken_with_the_first_byte_and_given_back_when_idle():
    buffer = ReceiveBuffer(MrdDecoder(Limits()))
    assert buffer.nbytes == 0
    receive(buffer, struct.pack("<H", 4))
    assert buffer.nbytes == SMALLEST
    buffer.drop()
    assert buffer.nbytes == 0


def test_an_unfinished_message_is_not_dropped():
    buffer = ReceiveBuffer(MrdDecoder(Limits()))
    receive(buffer, b"\x04")
    buffer.drop()
    assert buffer.unread == 1
    (frame,) = receive(buffer, b"\x00")
    assert bytes(frame.raw) == b"\x04\x00"


def test_messages_that_live_are_never_written_over(build):
    sent = build.readouts(40, coils=4, samples=300)
    stream = encode_bytes(sent)
    buffer = ReceiveBuffer(MrdDecoder(Limits()))
    kept = [frame for _ in range(5) for frame in receive(buffer, stream)]
    samples = np.concatenate([frame.message.samples for frame in kept])
    np.testing.assert_array_equal(samples, np.concatenate(5 * [sent.samples]))


def test_a_block_is_used_again_once_its_messages_are_gone(build):
    stream = encode_bytes(build.readouts(8))
    buffer = ReceiveBuffer(MrdDecoder(Limits()))
    for _ in range(100):
        assert len(receive(buffer, stream)) == 1
    assert buffer.nbytes == SMALLEST


def test_a_view_of_a_view_keeps_its_block(build):
    stream = encode_bytes(build.readouts(8))
    buffer = ReceiveBuffer(MrdDecoder(Limits()))
    (frame,) = receive(buffer, stream)
    samples = frame.message.samples[2:4, 0].T
    expected = samples.copy()
    del frame
    for _ in range(100):
        receive(buffer, bytes(len(stream)).replace(b"\0\0", struct.pack("<H", 4)))
    np.testing.assert_array_equal(samples, expected)


def test_blocks_grow_while_data_flood_and_stay_bounded(build):
    stream = encode_bytes(build.readouts(64, coils=8, samples=512))
    buffer = ReceiveBuffer(MrdDecoder(Limits()))
    for _ in range(12):
        receive(buffer, stream)
    assert LARGEST <= buffer.nbytes <= (KEPT + 1) * LARGEST


def test_a_long_message_gets_memory_only_as_its_bytes_come():
    length = 64 * 1024 * 1024
    buffer = ReceiveBuffer(MrdDecoder(Limits(text_bytes=length)))
    start = struct.pack("<HI", 5, length)
    receive(buffer, start)
    assert buffer.nbytes == SMALLEST
    come = len(start)
    for _ in range(40):
        receive(buffer, bytes(64 * 1024))
        come += 64 * 1024
        assert buffer.nbytes <= 4 * come + 2 * SMALLEST
    receive(buffer, bytes(length + len(start) - come - 1))
    assert buffer.unread == length + len(start) - 1
    (frame,) = receive(buffer, b"\0")
    assert frame.nbytes == length + len(start)


def test_filled_blocks_of_a_long_message_are_forgotten():
    length = 16 * 1024 * 1024
    buffer = ReceiveBuffer(MrdDecoder(Limits(text_bytes=length)))
    receive(buffer, struct.pack("<HI", 5, length) + bytes(length))
    assert buffer.nbytes <= 3 * length
