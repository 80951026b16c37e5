import pytest

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.limits import Limits
from echotrain.engine.settings import LimitSettings, host_port, load_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith("ECHOTRAIN_"):
            monkeypatch.delenv(name)


def test_defaults_listen_on_loopback_only():
    settings = load_settings(None, {})
    assert (settings.zmq, settings.mrd, settings.http) == ("tcp://127.0.0.1:9001", "tcp://127.0.0.1:9002", None)


def test_default_limits_are_those_of_the_engine():
    assert LimitSettings().limits() == Limits()


def test_flags_override_the_environment_and_that_the_file(tmp_path, monkeypatch):
    file = tmp_path / "echotrain.toml"
    file.write_text(
        'mrd = "tcp://127.0.0.1:1"\nzmq = "tcp://127.0.0.1:1"\nhttp = "127.0.0.1:1"\n[limits]\nsessions = 7\n'
    )
    monkeypatch.setenv("ECHOTRAIN_MRD", "tcp://127.0.0.1:2")
    monkeypatch.setenv("ECHOTRAIN_ZMQ", "tcp://127.0.0.1:2")
    monkeypatch.setenv("ECHOTRAIN_LIMITS__QUEUE_MIB", "3")
    settings = load_settings(file, {"zmq": "tcp://127.0.0.1:3", "mrd": None})
    assert (settings.zmq, settings.mrd, settings.http) == ("tcp://127.0.0.1:3", "tcp://127.0.0.1:2", "127.0.0.1:1")
    assert settings.limits.limits().sessions == 7
    assert settings.limits.limits().queue_bytes == 3 * 2**20


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"mrd": "udp://127.0.0.1:1"}, r"mrd.*tcp://HOST:PORT.*udp"),
        ({"mrd": "tcp://127.0.0.1"}, r"mrd.*tcp://HOST:PORT"),
        ({"http": "8080"}, r"http.*HOST:PORT.*8080"),
        ({"log": "xml"}, r"log.*console.*json"),
        ({"colour": "red"}, "colour"),
        ({"zmq": "off", "mrd": "off"}, "nothing would listen"),
        ({"zmq": "tcp://0.0.0.0:9001"}, "beyond loopback without CURVE"),
        ({"chains": "/no/such/folder"}, r"chains.*is no folder"),
        ({"record": "/dev/null/none"}, r"record.*cannot be written"),
    ],
)
def test_what_does_not_fit_is_named_with_got_and_expected(flags, words):
    with pytest.raises(ConfigurationError, match=words):
        load_settings(None, flags)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml", {})
    broken = tmp_path / "broken.toml"
    broken.write_text("mrd = ")
    with pytest.raises(ConfigurationError, match=r"broken\.toml cannot be read"):
        load_settings(broken, {})


def test_an_unknown_name_in_the_file_is_an_error(tmp_path):
    file = tmp_path / "echotrain.toml"
    file.write_text("[limits]\nsesions = 3\n")
    with pytest.raises(ConfigurationError, match=r"limits\.sesions"):
        load_settings(file, {})


def test_host_and_port_are_split():
    assert host_port("tcp://[::1]:5") == ("::1", 5)
    assert host_port("tcp://*:5") == ("0.0.0.0", 5)
    assert host_port("localhost:80") == ("localhost", 80)


def test_a_misspelt_variable_is_an_error_with_the_known_names(monkeypatch):
    monkeypatch.setenv("ECHOTRAIN_RECROD", "/somewhere")
    with pytest.raises(ConfigurationError, match=r"unknown variables ECHOTRAIN_RECROD; known: .*ECHOTRAIN_RECORD"):
        load_settings(None, {})
