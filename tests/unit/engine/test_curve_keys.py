import stat

import pytest

from echotrain.engine.curve_keys import (
    allow_client,
    allowed_clients,
    load_client,
    load_keys,
    load_public,
    load_server,
    make_client,
    make_keys,
    save_client,
    save_keys,
)
from echotrain.engine.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path):
    save_keys(tmp_path / "keys" / "server.toml", make_keys())
    return tmp_path / "keys"


def test_a_pair_comes_back_as_it_was_saved_and_only_its_owner_can_read_it(tmp_path):
    keys = make_keys()
    save_keys(tmp_path / "pair.toml", keys)
    assert load_keys(tmp_path / "pair.toml") == keys
    assert load_public(tmp_path / "pair.toml") == keys.public
    assert stat.S_IMODE((tmp_path / "pair.toml").stat().st_mode) == 0o600


def test_a_secret_is_not_shown_when_keys_are_printed():
    keys = make_keys()
    assert keys.public in repr(keys)
    assert keys.secret not in repr(keys)


def test_keys_that_are_there_are_not_overwritten(folder):
    with pytest.raises(ConfigurationError, match="is there already"):
        save_keys(folder / "server.toml", make_keys())


def test_a_secret_that_others_can_read_is_refused(folder):
    (folder / "server.toml").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_server(folder)


def test_a_clients_file_holds_what_it_needs_and_the_engine_knows_it(folder, tmp_path):
    client = make_client(folder, "scanner-1")
    save_client(tmp_path / "scanner-1.toml", client)
    assert load_client(tmp_path / "scanner-1.toml") == client
    server = load_server(folder)
    assert client.server == server.keys.public
    assert allowed_clients(server.clients) == {"scanner-1": client.keys.public}


def test_an_engine_without_clients_allows_nobody(folder):
    assert allowed_clients(load_server(folder).clients) == {}


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\0b", ".hidden", "x" * 65])
def test_a_name_that_could_mean_another_file_is_refused(folder, name):
    with pytest.raises(ConfigurationError, match="client name"):
        allow_client(folder, name, make_keys().public)


@pytest.mark.parametrize("text", ["public = 3", 'public = "short"', "no toml", ""])
def test_a_file_that_holds_no_key_is_named(folder, text):
    (folder / "clients").mkdir()
    (folder / "clients" / "bad.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"bad\.toml"):
        load_server(folder)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"server\.toml cannot be read"):
        load_server(tmp_path)
