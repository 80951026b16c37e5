"""CURVE: who may connect, and who may not."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from echotrain.clients.zmq_connection import ZmqConnection, ask_status
from echotrain.engine.curve_keys import CurveClient, load_server, make_client, make_keys, save_keys
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConfigurationError, ConnectionLost, RemoteError
from echotrain.engine.messages import ConfigText, Header
from echotrain.engine.registry import Registry
from echotrain.engine.transports.zmq_router import ZmqListener
from echotrain.engine.zmq_control import Resume


@pytest.fixture
def keys(tmp_path):
    save_keys(tmp_path / "server.toml", make_keys())
    return tmp_path


@asynccontextmanager
async def serving(keys, endpoint="tcp://127.0.0.1:0"):
    engine = Engine(Registry(None))
    listener = ZmqListener(engine, endpoint, curve=load_server(keys))
    await listener.start()
    try:
        yield listener.endpoint
    finally:
        await listener.close(linger_seconds=0.05)
        assert await asyncio.to_thread(engine.drain, 5.0)


async def test_a_client_with_an_allowed_key_is_served(keys):
    client = make_client(keys, "scanner")
    async with serving(keys) as endpoint:
        assert (await ask_status(endpoint, curve=client))["sessions"] == []


async def test_with_keys_an_engine_listens_beyond_loopback(keys):
    client = make_client(keys, "scanner")
    async with serving(keys, "tcp://0.0.0.0:0") as endpoint:
        await ask_status(endpoint.replace("0.0.0.0", "127.0.0.1"), curve=client)


async def test_a_key_that_is_not_allowed_is_turned_away_and_told_so(keys):
    allowed = make_client(keys, "scanner")
    async with serving(keys) as endpoint:
        with pytest.raises(ConnectionLost, match="does not allow this client's key"):
            await ask_status(endpoint, curve=CurveClient(make_keys(), allowed.server))


async def test_a_key_counts_as_soon_as_it_is_allowed_and_no_longer_than_that(keys):
    async with serving(keys) as endpoint:
        client = make_client(keys, "scanner")
        await ask_status(endpoint, curve=client)
        (keys / "clients" / "scanner.toml").unlink()
        with pytest.raises(ConnectionLost):
            await ask_status(endpoint, curve=client)


async def test_a_client_that_expects_another_engine_does_not_talk_to_this_one(keys):
    client = make_client(keys, "scanner")
    async with serving(keys) as endpoint:
        with pytest.raises(ConnectionLost, match=r"handshake|no answer|lost"):
            await ask_status(endpoint, curve=CurveClient(client.keys, make_keys().public))


async def test_a_client_without_keys_is_turned_away(keys):
    async with serving(keys) as endpoint:
        with pytest.raises(ConnectionLost):
            await ask_status(endpoint)


async def test_keys_that_are_no_keys_are_a_configuration_error(keys):
    make_client(keys, "scanner")
    with pytest.raises(ConfigurationError):
        await ZmqConnection.connect("tcp://127.0.0.1:9", curve=CurveClient(make_keys(), "short"))


async def test_another_allowed_client_cannot_resume_a_session_even_with_its_secret(keys):
    mine, other = make_client(keys, "mine"), make_client(keys, "other")
    async with serving(keys) as endpoint:
        connection = await ZmqConnection.connect(endpoint, curve=mine)
        await connection.open(ConfigText("x"), Header(b"<x/>"))
        thief = await ZmqConnection.connect(endpoint, curve=other)
        with pytest.raises(RemoteError, match="no such session"):
            await thief._link.ask(Resume(connection.opened.session, 0, 0))
        await thief.close()
        await connection.close()
