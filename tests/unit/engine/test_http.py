import urllib.error
import urllib.request

import pytest

from echotrain.engine.chain_config import ChainLibrary
from echotrain.engine.engine import Engine
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.http import HttpServer
from echotrain.engine.registry import Registry


@pytest.fixture
def server():
    ready = [True]
    server = HttpServer(Engine(Registry(None), ChainLibrary()), "127.0.0.1:0", lambda: ready[0])
    server.start()
    yield "http://{}:{}".format(*server.address), ready
    server.close()


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status, answer.read().decode()


def test_a_healthy_engine_says_so(server):
    url, _ = server
    assert get(f"{url}/healthz") == (200, "ok\n")
    assert get(f"{url}/readyz?probe=1") == (200, "ready\n")


def test_readiness_follows_the_engine_and_health_does_not(server):
    url, ready = server
    ready[0] = False
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"{url}/readyz")
    assert get(f"{url}/healthz")[0] == 200


def test_metrics_are_in_prometheus_form(server):
    _, text = get(f"{server[0]}/metrics")
    for name in ("sessions_open 0.0", "queue_bytes 0.0", "images_total 0.0", "image_latency_seconds_count 0.0"):
        assert f"\nechotrain_{name}\n" in text


def test_an_unknown_path_is_not_found(server):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{server[0]}/etc/passwd")


def test_a_taken_address_is_a_configuration_error(server):
    with pytest.raises(ConfigurationError, match="cannot be listened on"):
        HttpServer(Engine(Registry(None), ChainLibrary()), server[0].removeprefix("http://"), lambda: True)
