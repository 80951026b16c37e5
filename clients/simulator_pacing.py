"""Sending a simulated scan as fast as a scanner would."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable

from ..engine.errors import ConfigurationError
from ..engine.messages import Message, Readouts

_SLEEP = 0.001  # seconds: shorter waits are left out, since a timer is no finer; the schedule does not drift


async def paced(messages: Iterable[Message], *, tr_ms: float, speed: float = 1.0) -> AsyncIterator[Message]:
    """Give messages at the pace of a scanner.

    Readouts come one by one, each when it has been acquired: readout n (from 0) at (n + 1) tr_ms / speed after the
    start. A receiver that is late gets what is due at once, and the schedule stands. Other messages come in their
    places, without delay.

    Parameters
    ----------
    messages
        What to send.
    tr_ms
        From one readout to the next, in ms.
    speed
        How many times faster than that; ``math.inf`` is flat out, with blocks as they are.

    Raises
    ------
    ConfigurationError
        The repetition time or the speed is not positive.
    """
    if not tr_ms > 0 or not speed > 0:
        raise ConfigurationError(f"pacing needs a positive repetition time and speed, got {tr_ms} ms and {speed}")
    clock = asyncio.get_running_loop().time
    start, number = clock(), 0
    for message in messages:
        if math.isinf(speed) or not isinstance(message, Readouts):
            yield message
            await asyncio.sleep(0)
            continue
        for readout in range(len(message)):
            number += 1
            wait = start + number * tr_ms / 1000 / speed - clock()
            if wait > _SLEEP:
                await asyncio.sleep(wait)
            yield message[readout : readout + 1]
