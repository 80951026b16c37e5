"""What is encoded, byte for byte against the ismrmrd package, which also reads it back."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import ismrmrd
import numpy as np
import pytest
from ismrmrd.serialization import ConfigFile, ProtocolDeserializer, ProtocolSerializer
from ismrmrd.serialization import ConfigText as TheirConfigText

from echotrain.engine.errors import DataError, LimitExceeded
from echotrain.engine.limits import Limits
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Message,
    Readouts,
    Text,
    Waveform,
)
from echotrain.engine.mrd_codec import MrdDecoder, encode, encode_bytes
from echotrain.engine.mrd_fault import read_fault, write_fault


def theirs(*things) -> bytes:
    """Return what ismrmrd writes, without the CLOSE at its end."""
    stream = io.BytesIO()
    serializer = ProtocolSerializer(stream)
    for thing in things:
        serializer.serialize(thing)
    return stream.getvalue()


def read_by_them(*messages):
    stream = io.BytesIO(b"".join(encode_bytes(message) for message in [*messages, Close()]))
    return list(ProtocolDeserializer(stream).deserialize())


def acquisitions(block: Readouts):
    for n in range(len(block)):
        acquisition = ismrmrd.Acquisition(block.headers[n].tobytes())
        acquisition.data[:] = block.samples[n]
        if block.trajectory is not None:
            acquisition.traj[:] = block.trajectory[n]
        yield acquisition


def image_of_theirs(image: Image):
    meta = ismrmrd.Meta({k: v if isinstance(v, str) else list(v) for k, v in image.meta.items()})
    return ismrmrd.Image(head=image.header.tobytes(), meta=meta, data=image.pixels)


@pytest.mark.parametrize("dims", [0, 2])
def test_a_block_of_readouts_is_what_ismrmrd_writes_one_by_one(build, dims):
    block = build.readouts(5, coils=3, samples=7, dims=dims)
    assert encode_bytes(block) == theirs(*acquisitions(block))


@pytest.mark.parametrize("dims", [0, 3])
def test_ismrmrd_reads_our_readouts(build, dims):
    block = build.readouts(4, dims=dims)
    for expected, got in zip(acquisitions(block), read_by_them(block), strict=True):
        assert expected == got


@pytest.mark.parametrize(
    ("ours", "them"),
    [
        (ConfigName("default"), ConfigFile("default")),
        (ConfigName("µ" * 511), ConfigFile("µ" * 511)),
        (ConfigText("[[chain]]\n"), TheirConfigText("[[chain]]\n")),
        (Text("DBG µ"), "DBG µ"),
        (Array(np.arange(6, dtype="<f4").reshape(2, 3)), np.arange(6, dtype=np.float32).reshape(2, 3)),
        (Array(np.zeros((), "<c16")), np.zeros((), np.complex128)),
    ],
)
def test_other_messages_are_what_ismrmrd_writes(ours, them):
    assert encode_bytes(ours) == theirs(them)


def test_a_header_is_what_ismrmrd_writes(build):
    header = ismrmrd.xsd.CreateFromDocument(build.header)
    assert encode_bytes(Header(header.toXML().encode())) == theirs(header)


def test_a_waveform_is_what_ismrmrd_writes_and_reads(build):
    ours = build.waveform(channels=2, samples=5)
    them = ismrmrd.Waveform(ours.header.tobytes(), ours.samples.copy())
    assert encode_bytes(ours) == theirs(them)
    (back,) = read_by_them(ours)
    np.testing.assert_array_equal(back.data, ours.samples)


def test_the_padding_of_a_waveform_header_goes_out_as_zeros(build):
    ours = build.waveform()
    raw = np.frombuffer(b"\xff" * 40, ours.header.dtype)[0:1].copy()[0:1].reshape(())
    for name in ours.header.dtype.names:
        raw[name] = ours.header[name]
    assert encode_bytes(Waveform(raw, ours.samples)) == encode_bytes(ours)


@pytest.mark.parametrize("dtype", ["<u2", "<i2", "<u4", "<f4", "<f8", "<c8", "<c16"])
@pytest.mark.parametrize("meta", [{}, {"DataRole": "Image", "ImageType": ("A", "B & <µ>"), "Empty": ""}])
def test_an_image_is_what_ismrmrd_writes_and_reads(build, dtype, meta):
    ours = build.image(dtype, meta)
    assert encode_bytes(ours) == theirs(image_of_theirs(ours))
    (back,) = read_by_them(ours)
    np.testing.assert_array_equal(back.data, ours.pixels)
    assert back.image_series_index == 3


def test_what_ismrmrd_writes_is_read_by_us(build):
    block, image = build.readouts(4, dims=2), build.image()
    stream = theirs(ConfigFile("x"), *acquisitions(block), image_of_theirs(image), "bye", np.ones(3, np.float32))
    messages = [frame.message for frame in MrdDecoder(Limits()).feed(memoryview(stream))]
    assert [type(m) for m in messages] == [ConfigName, Readouts, Image, Text, Array]
    np.testing.assert_array_equal(messages[1].samples, block.samples)
    np.testing.assert_array_equal(messages[1].trajectory, block.trajectory)
    np.testing.assert_array_equal(messages[2].pixels, image.pixels)
    assert dict(messages[2].meta) == dict(image.meta)


def test_large_arrays_are_not_copied(build):
    image = build.image()
    pixels = np.frombuffer(encode(image)[-1], np.float32)
    assert np.shares_memory(pixels, image.pixels)


def test_arrays_of_another_order_or_layout_are_brought_into_the_streams(build):
    image = build.image("<f4")
    turned = Image(image.header, np.asfortranarray(image.pixels).astype(">f4"), image.meta)
    assert encode_bytes(turned) == encode_bytes(image)
    assert encode_bytes(Array(image.pixels.T)) == encode_bytes(Array(image.pixels.T.copy()))


def test_the_metadata_length_stands_twice(build):
    stream = encode_bytes(build.image())
    in_header, on_wire = struct.unpack_from("<IQ", stream, 2 + 198 - 4)
    assert in_header == on_wire > 0


def wrong_messages(build):
    block, image, waveform = build.readouts(2), build.image(), build.waveform()
    for field, value in [("number_of_samples", 15), ("active_channels", 3), ("trajectory_dimensions", 1)]:
        headers = block.headers.copy()
        headers[field][1] = value
        yield f"header says {field} {value}", replace(block, headers=headers)
    yield "2 readouts of 16 samples has 1 headers", replace(block, headers=block.headers[:1])
    header = image.header.copy()
    header["channels"] = 7
    yield "channels 7, its data say 2", replace(image, header=header)
    yield "data_type 5, its data say 2", replace(image, pixels=image.pixels.astype("<i2"))
    yield r"matrix_size \[4 3 1\]", replace(image, pixels=image.pixels[..., :2])
    yield "no data of type int64", replace(image, pixels=image.pixels.astype(np.int64))
    yield "expected .channels, z, y, x.", replace(image, pixels=image.pixels[0])
    yield "number_of_samples 5, its data say 4", replace(waveform, samples=waveform.samples[:, :4])
    yield "no data of type bool", Array(np.zeros(1, bool))
    yield "8 dimensions", Array(np.zeros(8 * (1,), "<f4"))


def test_a_message_whose_header_contradicts_its_arrays_is_not_sent(build):
    for words, message in wrong_messages(build):
        with pytest.raises(DataError, match=words):
            encode(message)


def test_a_chain_name_of_1024_bytes_is_not_sent():
    assert len(encode_bytes(ConfigName("x" * 1023))) == 1026
    with pytest.raises(LimitExceeded, match="1024 bytes, at most 1023"):
        encode(ConfigName("x" * 1024))


def test_what_stays_inside_a_chain_does_not_go_over_the_wire():
    with pytest.raises(TypeError, match="Message does not go over the wire"):
        encode(Message())


def test_text_that_utf8_cannot_carry_is_escaped_rather_than_lost():
    assert encode_bytes(Text("no file \udc80")).endswith(rb"no file \udc80")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("bad_chain", "no chain 'x'"),
        Fault("gadget_failed", "it broke (badly): why?\nhere", "noise_adjust", 12),
        Fault("timeout", "nothing for 3 s", None, 1),
        Fault("internal", "", "sense", None),
    ],
)
def test_a_fault_is_a_text_that_begins_with_err_and_is_read_back(fault):
    text = write_fault(fault)
    assert encode_bytes(fault) == encode_bytes(Text(text))
    assert text.startswith(f"ERR {fault.code}: {fault.text}")
    assert read_fault(text) == fault


@pytest.mark.parametrize("text", ["", "ERR", "ERR something", "WRN bad_chain: x", "ERROR bad: x"])
def test_other_texts_are_no_faults(text):
    assert read_fault(text) is None
