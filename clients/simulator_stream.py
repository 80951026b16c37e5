"""Sending a simulated scan to an engine, in the scanner's own time or flat out, and keeping the images."""

from __future__ import annotations

import math
from pathlib import Path

from ..engine.image_file import ImageFile
from ..engine.messages import Image
from .async_client import AsyncClient, Protocol
from .simulator import SimulatedScan
from .simulator_pacing import paced


async def stream_scan(
    scan: SimulatedScan, to: str, protocol: Protocol, chain: str, images: Path, speed: float | None
) -> int:
    """Send a scan and write the images that come back.

    Parameters
    ----------
    scan
        What to send.
    to, protocol, chain
        As for ``AsyncClient``.
    images
        MRD HDF5 file, overwritten.
    speed
        How many times faster than the scanner; None for flat out.

    Returns
    -------
    int
        Images received.

    Raises
    ------
    RemoteError
        The session failed; the images that came before are in the file.
    """
    count = 0
    rate = math.inf if speed is None else speed
    messages = paced(scan.messages(), tr_ms=scan.readout_ms, speed=rate)
    async with await AsyncClient(to, protocol=protocol).session(scan.header, chain) as session:
        with ImageFile(images, overwrite=True) as file:
            async for message in session.exchange(messages):
                if isinstance(message, Image):
                    file.append(message)
                    count += 1
    return count
