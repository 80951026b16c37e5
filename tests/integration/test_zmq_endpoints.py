"""Where an engine may listen, and what a client hears where none does."""

import pytest

from echotrain.clients.zmq_connection import ZmqConnection
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConfigurationError, ConnectionLost
from echotrain.engine.registry import Registry
from echotrain.engine.transports.zmq_router import ZmqListener


async def test_nobody_at_the_other_end_is_an_error_that_names_the_endpoint():
    with pytest.raises(ConnectionLost, match=r"tcp://127\.0\.0\.1:9: nobody listens"):
        await ZmqConnection.connect("tcp://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="nonsense"):
        await ZmqConnection.connect("nonsense")


async def test_an_endpoint_that_is_taken_or_exposed_is_a_configuration_error():
    listener = ZmqListener(Engine(Registry(None)), "tcp://127.0.0.1:0")
    await listener.start()
    with pytest.raises(ConfigurationError, match="in use"):
        await ZmqListener(Engine(Registry(None)), listener.endpoint).start()
    await listener.close()
    with pytest.raises(ConfigurationError, match="echotrain keys"):
        ZmqListener(Engine(Registry(None)), "tcp://0.0.0.0:0")
    with pytest.raises(ConfigurationError, match="echotrain keys"):
        ZmqListener(Engine(Registry(None)), "tcp://*:0")


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:0", "tcp://localhost:0", "ipc://@echotrain-test"])
async def test_this_machine_alone_needs_no_keys(endpoint):
    listener = ZmqListener(Engine(Registry(None)), endpoint)
    await listener.start()
    await listener.close()


async def test_listening_beyond_this_machine_without_keys_has_to_be_said_out_loud():
    listener = ZmqListener(Engine(Registry(None)), "tcp://0.0.0.0:0", insecure=True)
    await listener.start()
    assert listener.endpoint.startswith("tcp://0.0.0.0:")
    await listener.close()
