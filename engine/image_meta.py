"""The metadata of an image (MRD MetaContainer) as XML, the way ``ismrmrd.Meta`` writes and reads it.

Source: ISMRMRD ``meta.h``; a container is a list of ``<meta>`` with one ``<name>`` and any number of ``<value>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .errors import DataError, ProtocolError
from .messages import MetaValue

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_START = "<?xml version='1.0' encoding='UTF-8'?>\n<ismrmrdMeta>"


def serialize_meta(meta: Mapping[str, MetaValue]) -> bytes:
    """Write metadata as XML.

    Returns
    -------
    bytes
        UTF-8 text, byte for byte what ``ismrmrd.Meta.serialize`` gives; empty for empty metadata, as there.

    Raises
    ------
    DataError
        A name or a value holds a character that XML cannot carry.
    """
    if not meta:
        return b""
    parts = [_START]
    for name, value in meta.items():
        values = (value,) if isinstance(value, str) else value
        parts += ["<meta>", _element("name", name, name)]
        parts += [_element("value", text, name) for text in values]
        parts.append("</meta>")
    parts.append("</ismrmrdMeta>")
    return "".join(parts).encode()


def parse_meta(xml: bytes) -> Mapping[str, MetaValue]:
    """Read metadata from XML; one value comes back as a text, any other number of them as a tuple.

    Raises
    ------
    ProtocolError
        The text is not well-formed, declares entities or a DTD, or is no MRD metadata.
    """
    from defusedxml import ElementTree  # a session may never carry an image
    from defusedxml.common import DefusedXmlException

    xml = xml.rstrip(b"\0")
    if not xml.strip():
        return MappingProxyType({})
    try:
        root = ElementTree.fromstring(xml, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise ProtocolError(f"an image's metadata declare a DTD, an entity or an external reference: {error}") from None
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise ProtocolError(f"an image's metadata are not well-formed XML: {error}") from None
    if root.tag != "ismrmrdMeta":
        raise ProtocolError(f"the root element of an image's metadata is <{root.tag}>, expected <ismrmrdMeta>")
    found: dict[str, tuple[str, ...]] = {}
    for entry in root.findall("meta"):
        name = _name(entry)
        found[name] = found.get(name, ()) + tuple(value.text or "" for value in entry.findall("value"))
    return MappingProxyType({name: values[0] if len(values) == 1 else values for name, values in found.items()})


def _name(entry: Element) -> str:
    name = entry.find("name")
    if name is None or not name.text:
        raise ProtocolError("an entry of an image's metadata has no <name>")
    return name.text


def _element(tag: str, text: str, name: str) -> str:
    bad = _NOT_XML.search(text)
    if bad:
        raise DataError(f"metadata {name[:80]!r} hold the character {bad.group()!r}, which XML cannot carry")
    if not text:
        return f"<{tag} />"
    # A carriage return would come back as a newline unless it is written as a reference.
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return f"<{tag}>{text}</{tag}>"
