"""What the tests of deploy/ share: the folder, the code's own defaults, and the parser of `echotrain serve`."""

import os
from pathlib import Path

import pytest
import typer

from echotrain.engine.settings import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"
GIB = 2**30


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("ECHOTRAIN_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def deploy():
    return DEPLOY


@pytest.fixture
def default_ports():
    """Ports of ZeroMQ and MRD/TCP as the code has them."""
    settings = Settings()
    return {int(endpoint.rpartition(":")[2]) for endpoint in (settings.zmq, settings.mrd)}


@pytest.fixture
def parse_serve():
    """Return a function that parses arguments as `echotrain serve` does, and fails for what it does not know."""
    from echotrain.clients.cli.serve import serve

    app = typer.Typer()
    app.command()(serve)
    command = typer.main.get_command(app)

    def parse(arguments):
        with command.make_context("serve", list(arguments)) as context:
            return {name: value for name, value in context.params.items() if value not in {None, False}}

    return parse


@pytest.fixture
def state(tmp_path):
    """Stands in for /var/lib/echotrain, which the machine that tests need not have."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def load(tmp_path, state):
    """Return a function that loads a settings text as a served engine would."""
    from echotrain.engine.settings import load_settings

    def load_text(text):
        file = tmp_path / "echotrain.toml"
        file.write_text(text.replace("/var/lib/echotrain", str(state)))
        return load_settings(file, {})

    return load_text


@pytest.fixture
def grace():
    """Seconds for which whatever stops the engine must wait at least: the drain, and some for the goodbye."""
    return Settings().drain_seconds + 10


@pytest.fixture
def http_server():
    """A real HTTP server of an idle engine that is ready."""
    from echotrain.engine.engine import Engine
    from echotrain.engine.http import HttpServer

    server = HttpServer(Engine(), "127.0.0.1:0", lambda: True)
    server.start()
    yield server
    server.close()


@pytest.fixture
def has_path(http_server):
    """Return a function that says whether the engine answers a path with success."""
    from http.client import HTTPConnection

    def ask(path):
        connection = HTTPConnection(*http_server.address, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        finally:
            connection.close()

    return ask
