"""docs/protocol.md says what the code does."""

import re
from pathlib import Path

import pytest

from echotrain.engine import errors
from echotrain.engine.messages import ConfigName, Header
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, MessageId
from echotrain.engine.zmq_arrays import DTYPES
from echotrain.engine.zmq_codec import STREAM_TYPES
from echotrain.engine.zmq_control import Open, encode_control

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text()


def subclasses(cls):
    return {cls, *(found for sub in cls.__subclasses__() for found in subclasses(sub))}


def test_the_example_of_an_open_is_what_the_code_writes():
    dump = re.findall(r"^[0-9a-f]{4}  ((?:[0-9a-f]{2} )+)", DOCUMENT, re.MULTILINE)
    example = Open(ConfigName("default"), Header(b""), client="my-client 1.0", credit=64 * 2**20)
    assert bytes.fromhex("".join(dump)) == encode_control(example)[0]


def test_every_error_code_is_in_the_table():
    codes = {cls.code for cls in subclasses(errors.EchotrainError) if cls.__module__ == errors.__name__}
    codes.add("connection_lost")
    table = set(
        re.findall(r"^\| `([a-z_]+)` \| ", DOCUMENT.partition("### Errors")[2].partition("### ")[0], re.MULTILINE)
    )
    assert table == codes


@pytest.mark.parametrize("name", [*STREAM_TYPES, *DTYPES])
def test_every_type_of_message_and_array_is_named(name):
    assert f"`{name}`" in DOCUMENT


def test_every_mrd_message_id_is_in_the_table():
    assert {f"| {m.value} | {m.name} |" for m in MessageId} == set(re.findall(r"\| \d+ \| [A-Z_]{4,} \|", DOCUMENT))


@pytest.mark.parametrize("dtype", [ACQUISITION_DTYPE, IMAGE_DTYPE], ids=["acquisition", "image"])
def test_the_offsets_of_the_headers_are_those_of_the_code(dtype):
    section = DOCUMENT.partition("Acquisition header" if dtype is ACQUISITION_DTYPE else "Image header")[2]
    rows = dict(
        re.findall(
            r"^\| (\d+) \| [a-z0-9\[\]]+ \| ([a-z_0-9]+)",
            section.partition("\n\n")[2].partition("\n\n")[0],
            re.MULTILINE,
        )
    )
    known = {str(dtype.fields[name][1]): name for name in dtype.names}
    assert len(rows) > 15
    for offset, name in rows.items():
        if offset in known and known[offset] != "idx":
            assert name == known[offset]
