import asyncio
import math

import numpy as np
import pytest

from echotrain.clients.simulator import ScanProtocol, simulate
from echotrain.clients.simulator_pacing import paced
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Readouts, Waveform


@pytest.fixture(scope="module")
def scan():
    return simulate(ScanProtocol(matrix=(16, 12), slices=2, coils=2, waveforms=True, noise_samples=16))


async def test_readouts_come_one_by_one_at_the_pace_asked_for(scan):
    clock = asyncio.get_running_loop().time
    start, arrived = clock(), []
    async for message in paced(scan.messages(), tr_ms=20, speed=4):
        if isinstance(message, Readouts):
            assert len(message) == 1
            arrived.append(clock() - start)
    due = (np.arange(scan.readouts) + 1) * 0.005
    assert len(arrived) == scan.readouts
    assert (np.array(arrived) >= due - 0.002).all()


async def test_flat_out_gives_the_blocks_as_they_are(scan):
    got = [m async for m in paced(scan.messages(), tr_ms=1000, speed=math.inf)]
    expected = list(scan.messages())
    assert [type(m) for m in got] == [type(m) for m in expected]
    assert [len(m) for m in got if isinstance(m, Readouts)] == [len(m) for m in expected if isinstance(m, Readouts)]


async def test_nothing_is_lost_or_reordered(scan):
    got = [m async for m in paced(scan.messages(), tr_ms=0.01)]
    samples = np.concatenate([m.samples for m in got[4:] if isinstance(m, Readouts)])
    expected = np.concatenate([m.samples for m in list(scan.messages())[1:] if isinstance(m, Readouts)])
    np.testing.assert_array_equal(samples, expected)
    assert sum(isinstance(m, Waveform) for m in got) == sum(isinstance(m, Waveform) for m in scan.messages())


@pytest.mark.parametrize(("tr_ms", "speed"), [(0, 1), (5, 0), (5, math.nan), (-1, 1)])
async def test_a_pace_that_is_none_is_refused(scan, tr_ms, speed):
    with pytest.raises(ConfigurationError, match="positive repetition time and speed"):
        await anext(paced(scan.messages(), tr_ms=tr_ms, speed=speed))
