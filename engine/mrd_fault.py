"""An error as a TEXT message: MRD clients of today know no typed errors, but colour a text that begins with ERR."""

from __future__ import annotations

import re

from .messages import Fault

_WHERE = re.compile(r" \((?:gadget (?P<gadget>[^()\s,]+))?(?:, )?(?:message (?P<number>\d+))?\)$")
_FAULT = re.compile(r"ERR (?P<code>[a-z_]+): (?P<text>.*)", re.DOTALL)


def write_fault(fault: Fault) -> str:
    """Return ``ERR CODE: TEXT (gadget NAME, message NUMBER)``, without what is not known."""
    where = [] if fault.gadget is None else [f"gadget {fault.gadget}"]
    if fault.message_number is not None:
        where.append(f"message {fault.message_number}")
    return f"ERR {fault.code}: {fault.text}" + (f" ({', '.join(where)})" if where else "")


def read_fault(text: str) -> Fault | None:
    """Read what ``write_fault`` wrote; None if the text is no error of an engine."""
    match = _FAULT.match(text)
    if match is None:
        return None
    body, gadget, number = match["text"], None, None
    where = _WHERE.search(body)
    if where is not None and (where["gadget"] or where["number"]):
        body, gadget, number = body[: where.start()], where["gadget"], where["number"]
    return Fault(match["code"], body, gadget, None if number is None else int(number))
