"""What comes from the wire and does not fit: only errors of ours, with words that help."""

from contextlib import suppress
from types import MappingProxyType

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotrain.engine.errors import EchotrainError, ProtocolError, UnknownMessage
from echotrain.engine.limits import Limits
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    Fault,
    Header,
    Image,
    Parameters,
    Progress,
    Query,
    Readouts,
    Text,
    Waveform,
)
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, WAVEFORM_DTYPE
from echotrain.engine.zmq_codec import encode
from echotrain.engine.zmq_control import Ack, Cancel, Open, Opened, RefusedOpen, Resume, Status, decode, encode_control

LIMITS = Limits()


def readouts(dims=0):
    headers = np.zeros(3, ACQUISITION_DTYPE)
    headers["active_channels"], headers["number_of_samples"], headers["trajectory_dimensions"] = 2, 5, dims
    trajectory = np.zeros((3, 5, dims), np.float32) if dims else None
    return Readouts(headers, np.zeros((3, 2, 5), np.complex64), trajectory)


def image():
    header = np.zeros((), IMAGE_DTYPE)
    header["data_type"], header["channels"], header["matrix_size"] = 5, 1, (3, 2, 1)
    return Image(header, np.zeros((1, 1, 2, 3), np.float32), MappingProxyType({"a": "b", "c": ("d", "e")}))


def waveform():
    header = np.zeros((), WAVEFORM_DTYPE)
    header["channels"], header["number_of_samples"] = 2, 3
    return Waveform(header, np.zeros((2, 3), np.uint32))


MESSAGES = [
    readouts(),
    readouts(dims=2),
    image(),
    waveform(),
    Array(np.zeros((2, 3))),
    Text("text"),
    Query(1, "version"),
    Progress("gadget", 1, 2),
    Fault("code", "text", "gadget", 3),
    Close(),
]
CONTROLS = [
    Open(ConfigName("default"), Header(b"<x/>"), Parameters("other", MappingProxyType({"a.b": [1, None]}))),
    Opened("s", "id", 1, 10, 5.0, 60.0, MappingProxyType({"message_bytes": 1})),
    RefusedOpen("refused", "text"),
    Ack("s", 1, 2),
    Resume("s", 1, 2),
    Cancel("s", "why"),
    Status(MappingProxyType({"sessions": []})),
]


def test_what_is_broken_here_is_sound_before_it_is_broken():
    for frames in KINDS:
        decode(frames, LIMITS)


def envelope(**fields):
    return msgpack.packb({"v": 1, "session": "s", "seq": 1, **fields})


HEADERS = readouts().headers.tobytes()
SAMPLES = readouts().samples.tobytes()
GOOD = [["acquisition", [3]], ["complex64", [3, 2, 5]]]
BAD = {
    "no frame": ([], "empty message"),
    "no map": ([b"\x01"], "msgpack map"),
    "number as key": ([b"\x81\x01\x01"], "not allowed for map key"),
    "bytes as key": ([b"\x81\xc4\x01a\x01"], "max_bin_len"),
    "something behind": ([envelope(type="close") + b"\x00"], "extra"),
    "type of the wrong type": ([envelope(type=1)], "'type'"),
    "boolean as a number": ([envelope(type="close", seq=True)], "'seq'"),
    "number zero": ([envelope(type="close", seq=0)], "number 0"),
    "unknown field": ([envelope(type="close", x=1)], "'x'"),
    "frames behind a text": ([envelope(type="text", text=""), b""], "describes 0 arrays, but 1 frames"),
    "arrays without frames": ([envelope(type="array", arrays=[["uint16", [1]]])], "describes 1 arrays, but 0 frames"),
    "array not described": ([envelope(type="array", arrays=["uint16"]), b"ab"], r"\[dtype, shape\]"),
    "dtype as list": ([envelope(type="array", arrays=[[["uint16"], [1]]]), b"ab"], "dtype"),
    "python dtype": ([envelope(type="array", arrays=[["O", [1]]]), b"12345678"], "dtype 'O'"),
    "big-endian": ([envelope(type="array", arrays=[[">u2", [1]]]), b"ab"], "dtype"),
    "size that is no number": ([envelope(type="array", arrays=[["uint16", [1.0]]]), b"ab"], "shape"),
    "too many dimensions": ([envelope(type="array", arrays=[["uint16", [1] * 17]]), b"ab"], "shape"),
    "empty but endless": ([envelope(type="array", arrays=[["uint16", [0, 2**47, 2**47]]]), b""], "shape"),
    "no readouts": (
        [envelope(type="readouts", arrays=[["acquisition", [0]], ["complex64", [0, 2, 5]]]), b"", b""],
        "0 headers",
    ),
    "counts differ": (
        [envelope(type="readouts", arrays=[["acquisition", [3]], ["complex64", [2, 2, 5]]]), HEADERS, SAMPLES[:160]],
        "3 headers",
    ),
    "coils differ": (
        [envelope(type="readouts", arrays=[["acquisition", [3]], ["complex64", [3, 1, 10]]]), HEADERS, SAMPLES],
        "active_channels",
    ),
    "samples as floats": (
        [envelope(type="readouts", arrays=[["acquisition", [3]], ["float32", [3, 2, 10]]]), HEADERS, SAMPLES],
        "complex64",
    ),
    "trajectory unannounced": (
        [envelope(type="readouts", arrays=[*GOOD, ["float32", [3, 5, 1]]]), HEADERS, SAMPLES, bytes(60)],
        "trajectory_dimensions",
    ),
    "image without metadata": (
        [envelope(type="image", arrays=[["image", []], ["uint16", [1, 1, 1, 1]]]), bytes(198), b"ab"],
        "'meta'",
    ),
    "image header that lies": (
        [envelope(type="image", meta={}, arrays=[["image", []], ["uint16", [1, 1, 1, 1]]]), bytes(198), b"ab"],
        "data_type",
    ),
    "metadata that is no text": (
        [envelope(type="image", meta={"a": 1}, arrays=[["image", []], ["uint16", [1, 1, 1, 1]]]), bytes(198), b"ab"],
        "metadata 'a'",
    ),
    "open with two configurations": (
        [
            msgpack.packb(
                {
                    "v": 1,
                    "type": "open",
                    "versions": [1],
                    "client": "",
                    "resumable": True,
                    "credit": 0,
                    "config_name": "a",
                    "config_text": "b",
                }
            ),
            b"",
        ],
        "one of config_name",
    ),
    "parameters too deep": (
        [
            msgpack.packb(
                {
                    "v": 1,
                    "type": "open",
                    "versions": [1],
                    "config_name": "a",
                    "parameters": {"overrides": {"a.b": [[[[[[[[[[[]]]]]]]]]]]}},
                }
            ),
            b"",
        ],
        "deeper",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_together_is_a_protocol_error_that_says_what(case):
    frames, words = BAD[case]
    with pytest.raises(ProtocolError, match=words):
        decode(frames, LIMITS)


def test_an_unknown_type_is_named():
    with pytest.raises(UnknownMessage, match="'shout'"):
        decode([envelope(type="shout")], LIMITS)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
KINDS = [m.frames("s", 1) for m in map(encode, MESSAGES)] + [encode_control(c) for c in CONTROLS]


def only_our_errors(frames):
    with suppress(EchotrainError):
        decode(frames, Limits(message_bytes=10_000, text_bytes=1_000))


@given(frames=st.lists(st.binary(max_size=400), max_size=4))
def test_random_bytes_raise_nothing_but_our_errors(frames):
    only_our_errors(frames)


@given(kind=st.sampled_from(KINDS), name=st.text(max_size=8), value=VALUES, data=st.data())
def test_a_valid_message_with_any_field_replaced_raises_nothing_but_our_errors(kind, name, value, data):
    fields = msgpack.unpackb(kind[0])
    name = data.draw(st.sampled_from([*fields, name]))
    if data.draw(st.booleans()):
        fields[name] = value
    else:
        fields.pop(name, None)
    only_our_errors([msgpack.packb(fields, unicode_errors="replace"), *kind[1:]])


@given(kind=st.sampled_from(KINDS), data=st.data())
def test_a_valid_message_with_bytes_changed_or_cut_raises_nothing_but_our_errors(kind, data):
    frames = [bytearray(frame) for frame in kind]
    for _ in range(data.draw(st.integers(1, 4))):
        frame = data.draw(st.sampled_from(frames))
        if frame:
            at = data.draw(st.integers(0, len(frame) - 1))
            frame[at] = data.draw(st.integers(0, 255))
            if data.draw(st.booleans()):
                del frame[at:]
    only_our_errors([bytes(frame) for frame in frames])
