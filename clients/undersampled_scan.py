"""A fully sampled scan as an accelerated one: what a reconstruction would have got, and the truth beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..engine.errors import ConfigurationError
from ..engine.messages import Header, Message, Readouts
from ..engine.mrd_header import Encoding, Limit, parse_header
from ..engine.mrd_layout import NOT_IMAGING, AcquisitionFlag
from ..models.simulation.random_masks import equispaced_lines, uniform_lines
from ..models.simulation.sampling_masks import Mask
from .scan_file import Scan

MaskName = Literal["uniform", "equispaced"]
MASKS: Mapping[MaskName, Callable[[int, float, np.random.Generator], Mask]] = {
    "uniform": uniform_lines,
    "equispaced": equispaced_lines,
}
_FIRST = sum(flag.bit for flag in AcquisitionFlag if flag.name.startswith("FIRST_IN_"))
_LAST = sum(flag.bit for flag in AcquisitionFlag if flag.name.startswith("LAST_IN_"))
_IMAGE = ("slice", "contrast", "phase", "repetition", "set")
"""Counters by which images differ."""


def undersampled_scan(scan: Scan, acceleration: float, *, mask: MaskName = "uniform", seed: int = 0) -> Scan:
    """Leave out phase-encoding lines, the same in every image and partition, and say so in the header.

    Readouts that are no lines of an image (noise, calibration, navigators) and everything else stay. Flags that tell
    the first or last line of something pass to the first or last line that is left. Time stamps stay: lines come when
    they were measured.

    Parameters
    ----------
    scan
        Cartesian, fully sampled. It is read into memory.
    acceleration
        R, all lines counted; those about the centre, 8 % of all below R = 8 and 4 % from there on, stay in any case.
    mask
        ``uniform``: other lines at random; ``equispaced``: every r-th.
    seed
        Of the mask; 0 gives the mask of the figures in docs/benchmarks.md.

    Raises
    ------
    ConfigurationError
        The scan is not Cartesian, is undersampled already, or R is not a number of 1 or above.
    """
    if not (np.isfinite(acceleration) and acceleration >= 1):
        raise ConfigurationError(f"undersampling by {acceleration:g}, expected a number of 1 or above")
    encodings = parse_header(scan.header.xml).encodings
    for number, encoding in enumerate(encodings):
        if encoding.trajectory != "cartesian" or encoding.acceleration != (1, 1):
            raise ConfigurationError(
                f"{scan.source}: encoding {number} is {encoding.trajectory}, accelerated by {encoding.acceleration}; "
                "only a fully sampled Cartesian scan can be undersampled"
            )
    masks = [MASKS[mask](e.encoded.matrix[1], acceleration, np.random.default_rng(seed)) for e in encodings]
    messages = list(scan.messages)
    blocks = [message for message in messages if isinstance(message, Readouts)]
    if not blocks:
        return scan
    declared = _declared(scan.header.xml, acceleration)
    if any(encoding.acceleration != (round(acceleration), 1) for encoding in parse_header(declared).encodings):
        raise ConfigurationError(f"{scan.source}: its header is written so that the acceleration cannot be put into it")
    headers: NDArray[np.void] = np.concatenate([block.headers for block in blocks])
    kept = _kept(headers, encodings, masks)
    _hand_on_flags(headers, kept)
    return replace(
        scan,
        header=Header(declared),
        messages=tuple(_left(messages, headers, kept)),
        readouts=int(kept.sum()),
    )


def _kept(
    headers: NDArray[np.void], encodings: tuple[Encoding, ...], masks: list[NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = (headers["flags"] & np.uint64(NOT_IMAGING)) != 0
    for number, (encoding, mask) in enumerate(zip(encodings, masks, strict=True)):
        ny = encoding.encoded.matrix[1]
        centre = encoding.limits.get("kspace_encoding_step_1", Limit(0, ny - 1, ny // 2)).center
        line = headers["idx"]["kspace_encode_step_1"].astype(int) - centre + ny // 2
        inside = (line >= 0) & (line < ny)  # what lies outside is for the engine to complain of
        kept |= (headers["encoding_space_ref"] == number) & (~inside | mask[line.clip(0, ny - 1)])
    return kept


def _hand_on_flags(headers: NDArray[np.void], kept: NDArray[np.bool_]) -> None:
    images = list(
        zip(headers["encoding_space_ref"].tolist(), *(headers["idx"][c].tolist() for c in _IMAGE), strict=True)
    )
    for bits, order in ((_LAST, range(len(images))), (_FIRST, range(len(images) - 1, -1, -1))):
        nearest: dict[Any, int] = {}
        for n in order:
            if kept[n]:
                nearest[images[n]] = n
            elif images[n] in nearest:
                headers["flags"][nearest[images[n]]] |= headers["flags"][n] & np.uint64(bits)


def _left(messages: list[Message], headers: NDArray[np.void], kept: NDArray[np.bool_]) -> Iterator[Message]:
    first = 0
    for message in messages:
        if not isinstance(message, Readouts):
            yield message
            continue
        here = slice(first, first + len(message))
        first += len(message)
        if kept[here].any():
            yield replace(message, headers=headers[here])[kept[here]]


def _declared(xml: bytes, acceleration: float) -> bytes:
    """Put the acceleration into every encoding, where the schema has it, in the place of what is said there."""
    factor = round(acceleration)

    def encoding(match: re.Match[bytes]) -> bytes:
        prefix, inner = match["prefix"], match["inner"]
        inner = re.sub(rb"<%bparallelImaging>.*?</%bparallelImaging>" % (prefix, prefix), b"", inner, flags=re.DOTALL)
        said = (
            (
                b"<PparallelImaging><PaccelerationFactor><Pkspace_encoding_step_1>%d</Pkspace_encoding_step_1>"
                b"<Pkspace_encoding_step_2>1</Pkspace_encoding_step_2></PaccelerationFactor>"
                b"<PcalibrationMode>embedded</PcalibrationMode></PparallelImaging>" % factor
            )
            .replace(b"<P", b"<" + prefix)
            .replace(b"</P", b"</" + prefix)
        )
        train = inner.find(b"<%bechoTrainLength>" % prefix)
        end = len(inner) if train < 0 else train
        return b"<%bencoding>%b%b%b</%bencoding>" % (prefix, inner[:end], said, inner[end:], prefix)

    return re.sub(
        rb"<(?P<prefix>(?:\w+:)?)encoding>(?P<inner>.*?)</(?P=prefix)encoding>", encoding, xml, flags=re.DOTALL
    )
