"""Both ways at once: what is encoded comes back, however the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echotrain.engine.errors import EchotrainError
from echotrain.engine.limits import Limits
from echotrain.engine.messages import Array, Image, Parameters, Progress, Readouts, Text, Waveform
from echotrain.engine.mrd_codec import MrdDecoder, ReceiveBuffer, encode_bytes
from echotrain.engine.session import parse_parameters

SMALL = Limits(message_bytes=4096, header_bytes=2048, text_bytes=1024)


def decode(stream: bytes, cuts=(), limits=None):
    """Return the frames of a stream that arrives in pieces."""
    buffer = ReceiveBuffer(MrdDecoder(limits or Limits()))
    frames, position = [], 0
    for end in [*sorted(cuts), len(stream)]:
        while position < end:
            room = buffer.room()
            count = min(len(room), end - position)
            room[:count] = stream[position : position + count]
            position += count
            frames += buffer.received(count)
    buffer.decoder.finish()
    return frames


def assert_equal(one, other):
    assert type(one) is type(other)
    if isinstance(one, Readouts):
        np.testing.assert_array_equal(one.headers, other.headers)
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.trajectory, other.trajectory)
    elif isinstance(one, Waveform):
        np.testing.assert_array_equal(one.header, other.header)
        np.testing.assert_array_equal(one.samples, other.samples)
    elif isinstance(one, Image):
        names = [name for name in one.header.dtype.names if name != "attribute_string_len"]
        np.testing.assert_array_equal(one.header[names], other.header[names])
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert dict(one.meta) == dict(other.meta)
        assert one.pixels.dtype == other.pixels.dtype
    elif isinstance(one, Array):
        np.testing.assert_array_equal(one.data, other.data)
    else:
        assert one == other


def joined(frames):
    """Return the messages with neighbouring blocks of one shape put together: block edges carry no meaning."""
    messages = []
    for message in (frame.message for frame in frames):
        last = messages[-1] if messages else None
        if (
            isinstance(message, Readouts)
            and isinstance(last, Readouts)
            and message.samples.shape[1:] == last.samples.shape[1:]
            and (message.trajectory is None) == (last.trajectory is None)
        ):
            messages[-1] = Readouts(
                np.concatenate([last.headers, message.headers]),
                np.concatenate([last.samples, message.samples]),
                None if message.trajectory is None else np.concatenate([last.trajectory, message.trajectory]),
            )
        else:
            messages.append(message)
    return messages


def test_every_kind_of_message_comes_back(build):
    sent = build.messages()
    received = decode(b"".join(encode_bytes(message) for message in sent))
    assert len(received) == len(sent)
    for one, other in zip(sent, received, strict=True):
        assert_equal(one, other.message)


def test_the_raw_bytes_of_the_frames_are_the_stream(build):
    stream = b"".join(encode_bytes(message) for message in build.messages())
    frames = decode(stream, cuts=[100, 2000, 2001])
    assert b"".join(bytes(frame.raw) for frame in frames) == stream
    assert sum(frame.nbytes for frame in frames) == len(stream)


def test_decoding_gives_the_same_wherever_the_stream_is_cut(build):
    sent = build.messages()
    stream = b"".join(encode_bytes(message) for message in sent)
    for cut in range(len(stream)):
        received = joined(decode(stream, cuts=[cut]))
        assert len(received) == len(sent)
        assert b"".join(encode_bytes(message) for message in received) == stream


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_decoding_gives_the_same_however_the_stream_is_cut(build, data):
    sent = build.messages()
    stream = b"".join(encode_bytes(message) for message in sent)
    received = joined(decode(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=40))))
    assert len(received) == len(sent)
    for one, other in zip(sent, received, strict=True):
        assert_equal(one, other)


def test_decoding_gives_the_same_byte_by_byte(build):
    sent = build.messages()
    stream = b"".join(encode_bytes(message) for message in sent)
    for one, other in zip(sent, joined(decode(stream, range(len(stream)))), strict=True):
        assert_equal(one, other)


@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 9), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_readouts_of_any_shape_come_back(build, count, coils, samples, dims, seed):
    sent = build.readouts(count, coils, samples, dims, seed)
    (frame,) = decode(encode_bytes(sent))
    assert_equal(sent, frame.message)


def test_readouts_that_are_views_of_other_layouts_are_encoded_like_copies(build):
    whole = build.readouts(6, dims=2)
    part = whole[::2]
    copy = Readouts(part.headers.copy(), part.samples.copy(), part.trajectory.copy())
    assert encode_bytes(part) == encode_bytes(copy)
    (frame,) = decode(encode_bytes(whole))
    assert encode_bytes(frame.message) == encode_bytes(whole)


@pytest.mark.parametrize("dtype", ["<u2", "<i2", "<u4", "<i4", "<f4", "<f8", "<c8", "<c16"])
def test_images_and_arrays_of_every_data_type_come_back(build, dtype):
    image = build.image(dtype)
    (frame,) = decode(encode_bytes(image))
    assert_equal(image, frame.message)
    (frame,) = decode(encode_bytes(Array(image.pixels)))
    assert frame.message.data.dtype == image.pixels.dtype
    np.testing.assert_array_equal(frame.message.data, image.pixels)


def test_an_image_without_metadata_comes_back(build):
    (frame,) = decode(encode_bytes(build.image(meta={})))
    assert dict(frame.message.meta) == {}


def test_parameters_come_back_as_the_text_that_fire_clients_send():
    sent = Parameters("default", {"scale_images.dtype": "int16", "accumulate.by": ["slice"]})
    (frame,) = decode(encode_bytes(sent))
    assert isinstance(frame.message, Text)
    read = parse_parameters(frame.message.text)
    assert (read.config, dict(read.overrides)) == (sent.config, sent.overrides)


def test_progress_does_not_travel():
    assert encode_bytes(Progress("gather", 1, 2)) == b""


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=4))
def test_random_bytes_raise_only_our_errors(raw, cuts):
    check_survival(raw, cuts)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 1008, 1022, 1026, 1030]), st.binary(max_size=600))
def test_random_bytes_behind_a_known_id_raise_only_our_errors(number, raw):
    check_survival(number.to_bytes(2, "little") + raw, [])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_stream_raises_only_our_errors(build, data):
    stream = bytearray(b"".join(encode_bytes(message) for message in build.messages()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert", "ones"])):
            case "change":
                stream[at] = data.draw(st.integers(0, 255))
            case "cut":
                del stream[at : at + data.draw(st.integers(1, 50))]
            case "insert":
                stream[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "ones":
                stream[at : at + 4] = b"\xff\xff\xff\xff"
    check_survival(bytes(stream), data.draw(st.lists(st.integers(0, len(stream)), max_size=3)))


def check_survival(raw, cuts):
    """Decode under tight limits: it ends or raises an error of ours, and never asks for more than the limits allow."""
    buffer = ReceiveBuffer(MrdDecoder(SMALL))
    position = 0
    try:
        for end in [*sorted(cuts), len(raw)]:
            while position < min(end, len(raw)):
                room = buffer.room()
                count = min(len(room), min(end, len(raw)) - position)
                room[:count] = raw[position : position + count]
                position += count
                list(buffer.received(count))
                assert buffer.decoder.needed <= SMALL.message_bytes + 256
        buffer.decoder.finish()
    except EchotrainError:
        pass
    assert buffer.nbytes <= 3 * 16 * 1024
