from __future__ import annotations

import struct

import numpy as np
import pytest

from echotrain.engine.errors import LimitExceeded, ProtocolError, Truncated, UnknownMessage
from echotrain.engine.limits import Limits
from echotrain.engine.messages import Close, ConfigName, ConfigText, Fault, Header, Readouts, Response, Text
from echotrain.engine.mrd_codec import MrdDecoder, encode_bytes
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE


def feed(stream: bytes, limits=None):
    decoder = MrdDecoder(limits or Limits())
    return [frame.message for frame in decoder.feed(memoryview(stream))], decoder


def readout_header(samples=0, coils=0, dims=0):
    header = np.zeros((), ACQUISITION_DTYPE)
    header["number_of_samples"], header["active_channels"], header["trajectory_dimensions"] = samples, coils, dims
    return struct.pack("<H", 1008) + header.tobytes()


def image_start(matrix=(1, 1, 1), channels=1, data_type=5, lengths=(0, 0)):
    header = np.zeros((), IMAGE_DTYPE)
    header["matrix_size"], header["channels"], header["data_type"] = matrix, channels, data_type
    header["attribute_string_len"] = lengths[0]
    return struct.pack("<H", 1022) + header.tobytes() + struct.pack("<Q", lengths[1])


def test_a_run_of_equal_readouts_is_one_block_of_views(build):
    stream = encode_bytes(build.readouts(100))
    (block,), _ = feed(stream)
    assert isinstance(block, Readouts)
    assert len(block) == 100
    for array in (block.headers, block.samples):
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_a_change_of_shape_begins_another_block(build):
    blocks = [build.readouts(n, coils, samples) for n, coils, samples in [(9, 2, 16), (70, 2, 8), (1, 4, 4), (5, 2, 8)]]
    messages, _ = feed(b"".join(encode_bytes(block) for block in blocks))
    assert [m.samples.shape for m in messages] == [b.samples.shape for b in blocks]


def test_readouts_of_one_size_but_another_shape_are_not_mixed(build):
    blocks = [build.readouts(3, 2, 8), build.readouts(3, 4, 4)]
    messages, _ = feed(b"".join(encode_bytes(block) for block in blocks))
    assert [m.samples.shape for m in messages] == [(3, 2, 8), (3, 4, 4)]


def test_another_message_that_looks_like_a_readout_ends_the_run(build):
    run = encode_bytes(build.readouts(2))
    other = struct.pack("<H", 1026) + run[2 : len(run) // 2]
    decoder = MrdDecoder(Limits())
    first = next(decoder.feed(memoryview(run + other)))
    assert len(first.message) == 2


def test_texts_lose_the_nuls_at_their_end():
    texts = [(2, b"a\0\0"), (3, b"<x/>\0"), (5, b"b\0")]
    messages, _ = feed(b"".join(struct.pack("<HI", number, len(text)) + text for number, text in texts))
    assert messages == [ConfigText("a"), Header(b"<x/>"), Text("b")]


def test_a_chain_name_is_padded_to_1024_bytes():
    messages, _ = feed(struct.pack("<H1024s", 1, b"null") + struct.pack("<H", 4))
    assert messages == [ConfigName("null"), Close()]


def test_an_error_message_is_a_fault():
    texts = [b"ERR bad_chain: no chain 'x' (message 2)", b"it broke"]
    messages, _ = feed(b"".join(struct.pack("<HQ", 8, len(text)) + text for text in texts))
    assert messages == [Fault("bad_chain", "no chain 'x'", None, 2), Fault("internal", "it broke")]


def test_a_response_carries_its_number():
    messages, _ = feed(struct.pack("<HQQ", 7, 2**64 - 1, 2) + b"ok")
    assert messages == [Response(2**64 - 1, "ok")]


def test_an_unknown_id_is_named_with_its_position():
    with pytest.raises(UnknownMessage, match=r"message id 77 at byte 2 .* 1008 ACQUISITION"):
        feed(struct.pack("<HH", 4, 77))


def test_what_came_before_an_error_is_given_out_first(build):
    decoder = MrdDecoder(Limits())
    frames = decoder.feed(memoryview(encode_bytes(build.readouts(2)) + b"\xff\xff"))
    assert len(next(frames).message) == 2
    with pytest.raises(UnknownMessage):
        next(frames)
    with pytest.raises(UnknownMessage):  # and it stays
        list(decoder.feed(memoryview(b"\xff\xff")))


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"\x01", "inside a message id at byte 0: got 1 bytes of 2 or more"),
        (struct.pack("<HI", 2, 9) + b"abc", "inside CONFIG_TEXT at byte 0: got 9 bytes of 15"),
        (struct.pack("<HH", 4, 1008), "inside ACQUISITION at byte 2: got 2 bytes of 342"),
        (readout_header(4, 2), "inside ACQUISITION at byte 0: got 342 bytes of 406"),
    ],
)
def test_a_truncated_message_is_reported_with_its_id_and_sizes(stream, words):
    _, decoder = feed(stream)
    assert decoder.pending
    with pytest.raises(Truncated, match=words):
        decoder.finish()


def test_a_stream_may_end_between_messages():
    _, decoder = feed(struct.pack("<H", 4))
    assert not decoder.pending
    decoder.finish()


SMALL = Limits(message_bytes=10_000, header_bytes=1000, text_bytes=500)


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack("<HI", 2, 501),
        struct.pack("<HI", 5, 2**32 - 1),
        struct.pack("<HI", 3, 1001),
        struct.pack("<HQQQ", 6, 0, 0, 2**64 - 1),
        struct.pack("<HQQ", 7, 0, 501),
        struct.pack("<HQ", 8, 2**63),
        readout_header(65535, 65535),
        readout_header(65535, 0, 65535),
        readout_header(1250, 1),
        image_start(matrix=(65535, 65535, 65535), channels=65535, data_type=8),
        image_start(matrix=(2500, 1, 1)),
        image_start(lengths=(501, 501)),
        struct.pack("<HHHH", 1030, 5, 0, 1) + struct.pack("<Q", 2501),
        struct.pack("<HHHH", 1030, 8, 0, 3) + struct.pack("<3Q", 0, 2**63, 2**63),
        struct.pack("<HHHH", 1030, 8, 0, 7) + struct.pack("<7Q", *7 * [2**64 - 1]),
        struct.pack("<H", 1026) + bytes(28) + struct.pack("<HH", 65535, 65535) + bytes(8),
    ],
)
def test_a_size_beyond_the_limits_is_refused_before_its_data_come(stream):
    decoder = MrdDecoder(SMALL)
    with pytest.raises(LimitExceeded, match=r"at most .* are accepted"):
        list(decoder.feed(memoryview(stream)))
    assert decoder.needed <= SMALL.message_bytes


def test_what_just_fits_the_limits_is_taken():
    text = struct.pack("<HI", 2, 500) + bytes(500)
    (message,), _ = feed(text, SMALL)
    assert message == ConfigText("")
    size = 2 + 340 + 8 * 1207
    (block,), _ = feed(readout_header(1207, 1) + bytes(8 * 1207), Limits(message_bytes=size))
    assert block.samples.shape == (1, 1, 1207)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (struct.pack("<HI", 5, 2) + b"\xff\xfe", "a TEXT is not UTF-8"),
        (struct.pack("<HI", 2, 1) + b"\xff", "a configuration is not UTF-8"),
        (struct.pack("<H1024s", 1, b"\xff"), "a chain's name is not UTF-8"),
        (image_start(lengths=(3, 4)), "metadata have 3 bytes by its header, 4 by the stream"),
        (image_start(data_type=9), "data type 9, known are 1, 2"),
        (image_start(data_type=0), "data type 0"),
        (image_start(lengths=(3, 3)) + b"<a>" + bytes(4), "metadata are not well-formed XML"),
        (struct.pack("<HHHH", 1030, 99, 0, 1), "an array of data type 99"),
        (struct.pack("<HHHH", 1030, 5, 0, 8), "8 dimensions, MRD has at most 7"),
    ],
)
def test_a_message_that_contradicts_itself_is_refused(stream, words):
    with pytest.raises(ProtocolError, match=words):
        feed(stream)


def test_the_needed_size_follows_what_has_come():
    decoder = MrdDecoder(Limits())
    stream = struct.pack("<HHHH2Q", 1030, 5, 0, 2, 3, 4) + bytes(48)
    needed = []
    for end in (1, 2, 8, 23, 24, len(stream) - 1):
        assert list(decoder.feed(memoryview(stream[:end]))) == []
        needed.append(decoder.needed)
    assert needed == [2, 8, 24, 24, 72, 72]
    (frame,) = decoder.feed(memoryview(stream))
    assert frame.message.data.shape == (3, 4)
    assert (decoder.needed, decoder.consumed, decoder.position) == (0, 72, 72)
