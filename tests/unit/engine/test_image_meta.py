import contextlib

import ismrmrd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotrain.engine.errors import DataError, EchotrainError, ProtocolError
from echotrain.engine.image_meta import parse_meta, serialize_meta

XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
NAMES = XML_TEXT.filter(bool)
SEVERAL = st.lists(XML_TEXT, max_size=4).filter(lambda values: len(values) != 1).map(tuple)
METADATA = st.dictionaries(NAMES, XML_TEXT | SEVERAL, max_size=5)


@given(METADATA)
def test_metadata_come_back_as_they_were(meta):
    assert dict(parse_meta(serialize_meta(meta))) == meta


@given(METADATA)
def test_metadata_are_written_as_ismrmrd_writes_them(meta):
    theirs = ismrmrd.Meta({name: v if isinstance(v, str) else list(v) for name, v in meta.items()})
    assert serialize_meta(meta).decode() == theirs.serialize()


def test_metadata_are_what_ismrmrd_reads():
    text = serialize_meta({"WindowCenter": "12", "ImageType": ("DERIVED", "PRIMARY", "µ & <x>")}).decode()
    theirs = ismrmrd.Meta.deserialize(text)
    assert theirs == {"WindowCenter": "12", "ImageType": ["DERIVED", "PRIMARY", "µ & <x>"]}


def test_line_ends_and_tabs_survive():
    meta = {"ImageComments": "one\r\ntwo\rthree\n\tfour"}
    assert dict(parse_meta(serialize_meta(meta))) == meta


def test_a_name_that_stands_twice_gathers_its_values():
    xml = b"<ismrmrdMeta>" + 2 * b"<meta><name>a</name><value>1</value></meta>" + b"</ismrmrdMeta>\0"
    assert dict(parse_meta(xml)) == {"a": ("1", "1")}


@pytest.mark.parametrize("xml", [b"", b"\0", b" \n"])
def test_no_text_is_no_metadata(xml):
    assert dict(parse_meta(xml)) == {}


@pytest.mark.parametrize("text", ["\0", "a\x0bb", "\ufffe", "\ud800"])
def test_a_character_that_xml_cannot_carry_is_refused_by_name(text):
    with pytest.raises(DataError, match="'ImageComments'"):
        serialize_meta({"ImageComments": text})


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (b"<ismrmrdMeta>", "not well-formed"),
        (b"<other/>", "expected <ismrmrdMeta>"),
        (b"<ismrmrdMeta><meta><value>1</value></meta></ismrmrdMeta>", "no <name>"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><ismrmrdMeta/>', "DTD"),
        (b"<?xml version='1.0' encoding='nonsense'?><ismrmrdMeta/>", "not well-formed"),
    ],
)
def test_metadata_that_cannot_be_read_are_refused(xml, words):
    with pytest.raises(ProtocolError, match=words):
        parse_meta(xml)


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(raw):
    with contextlib.suppress(EchotrainError):
        parse_meta(raw)
