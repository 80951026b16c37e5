from types import MappingProxyType

import numpy as np
import pytest

from echotrain.engine.errors import LimitExceeded, ProtocolError
from echotrain.engine.limits import Limits
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Parameters,
    Progress,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, DATA_TYPES, IMAGE_DTYPE, WAVEFORM_DTYPE
from echotrain.engine.zmq_codec import Numbered, encode
from echotrain.engine.zmq_control import (
    Ack,
    Cancel,
    Leave,
    Open,
    Opened,
    RefusedOpen,
    Resume,
    Resumed,
    Status,
    StatusRequest,
    decode,
    encode_control,
)

LIMITS = Limits()


def readouts(n=3, coils=2, samples=5, dims=0):
    rng = np.random.default_rng(1)
    headers = np.frombuffer(rng.bytes(340 * n), ACQUISITION_DTYPE).copy()
    headers["active_channels"], headers["number_of_samples"], headers["trajectory_dimensions"] = coils, samples, dims
    data = rng.normal(size=(n, coils, samples)) + 1j * rng.normal(size=(n, coils, samples))
    trajectory = rng.normal(size=(n, samples, dims)).astype(np.float32) if dims else None
    return Readouts(headers, data.astype(np.complex64), trajectory)


def waveform():
    header = np.zeros((), WAVEFORM_DTYPE)
    header["channels"], header["number_of_samples"], header["waveform_id"] = 2, 3, 7
    return Waveform(header, np.arange(6, dtype=np.uint32).reshape(2, 3))


def image(code):
    header = np.zeros((), IMAGE_DTYPE)
    header["data_type"], header["channels"], header["matrix_size"] = code, 2, (5, 4, 3)
    pixels = np.arange(120).reshape(2, 3, 4, 5).astype(DATA_TYPES[code])
    return Image(header, pixels, MappingProxyType({"DataRole": "Image", "ImageComments": ("a", "b"), "Umlaut": "ä"}))


MESSAGES = [
    readouts(),
    readouts(n=1, coils=1, samples=1),
    readouts(dims=3),
    waveform(),
    *(image(code) for code in DATA_TYPES),
    Array(np.zeros((0, 3), np.complex128)),
    Array(np.float64(4)[()].reshape(())),
    Text("ä text"),
    Query(2**64 - 1, "version"),
    Response(0, ""),
    Progress("gadget", 1, 2, "text"),
    Fault("gadget_failed", "text", "gadget", 12),
    Fault("internal", "text"),
    Close(),
]


def there_and_back(message, limits=LIMITS):
    found = decode(encode(message).frames("secret", 9), limits)
    assert isinstance(found, Numbered)
    assert (found.session, found.seq) == ("secret", 9)
    return found.message


def assert_same(got, expected):
    assert type(got) is type(expected)
    for name in type(expected).__dataclass_fields__:
        left, right = getattr(got, name), getattr(expected, name)
        if isinstance(right, np.ndarray):
            assert (left.dtype, left.shape) == (right.dtype, right.shape)
            assert left.tobytes() == right.tobytes()
        else:
            assert left == right


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_comes_back_as_it_was(message):
    assert_same(there_and_back(message), message)


def test_arrays_are_neither_copied_on_the_way_out_nor_on_the_way_in():
    block = readouts()
    frames = encode(block).frames("s", 1)
    assert np.shares_memory(np.frombuffer(frames[2], np.uint8), block.samples)
    received = bytearray(frames[2])
    samples = decode([frames[0], frames[1], memoryview(received)], LIMITS).message.samples
    assert np.shares_memory(samples, np.frombuffer(received, np.uint8))
    assert not samples.flags.writeable


def test_views_with_gaps_and_other_byte_orders_are_sent_as_the_protocol_has_them():
    block = readouts(n=4)
    assert_same(there_and_back(block[::2]), Readouts(block.headers[::2].copy(), block.samples[::2].copy()))
    swapped = Array(np.arange(5, dtype=">f8"))
    np.testing.assert_array_equal(there_and_back(swapped).data, np.arange(5.0))


def test_a_dtype_that_the_protocol_lacks_is_not_sent():
    with pytest.raises(ProtocolError, match="float16"):
        encode(Array(np.zeros(3, np.float16)))
    with pytest.raises(ProtocolError, match="object"):
        encode(Array(np.array([object()])))
    with pytest.raises(ProtocolError, match="Header"):
        encode(Header(b""))


def test_text_that_is_no_unicode_is_escaped_and_not_lost():
    assert there_and_back(Text("file \udcff")).text == "file \\udcff"


CONTROLS = [
    Open(ConfigName("default"), Header(b"<x/>")),
    Open(
        ConfigText("[[chain]]"),
        Header(b""),
        Parameters("other", MappingProxyType({"a.b": [1, 2.5, None, {"c": True}]})),
        client="c",
        versions=(3, 1),
        resumable=False,
        credit=2**40,
    ),
    Opened("s", "id", 1, 10, 5.0, 60.0, MappingProxyType({"message_bytes": 1}), "echotrain"),
    RefusedOpen("refused", "text", (1, 2)),
    Ack("s", 1, 2),
    Ack("s", 1, 2, ended=True),
    Resume("s", 1, 2),
    Resumed("s", 1, 2),
    Cancel("s", "why"),
    Leave("s"),
    StatusRequest(),
    Status(MappingProxyType({"version": "1", "sessions": [{"session": "a"}]})),
]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: type(c).__name__)
def test_every_control_message_comes_back_as_it_was(control):
    assert decode(encode_control(control), LIMITS) == control


def test_sizes_are_held_against_the_limits_before_anything_is_made_of_them():
    small = Limits(message_bytes=100, header_bytes=100, text_bytes=100)
    with pytest.raises(LimitExceeded, match="at most 100"):
        there_and_back(readouts(), small)
    with pytest.raises(LimitExceeded, match="101 bytes"):
        decode(encode_control(Open(ConfigName("a"), Header(bytes(101)))), small)
    with pytest.raises(ProtocolError, match="max_str_len"):
        there_and_back(Text("x" * 101), small)
    with pytest.raises(LimitExceeded, match="the envelope"):
        decode([bytes(70_000)], small)
    with pytest.raises(ProtocolError, match="max_map_len"):
        decode([b"\xdf\x7f\xff\xff\xff"], LIMITS)
