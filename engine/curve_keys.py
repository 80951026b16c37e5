"""CURVE key pairs for ZeroMQ: making, keeping and reading them.

A folder of keys, as ``echotrain keys`` makes it::

    server.toml          the engine's own pair: stays here, mode 0600
    clients/NAME.toml    public keys of the clients that may connect

A client has one file with its own pair and the engine's public key.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ConfigurationError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a client may be called in a folder of keys."""
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85 of 32 bytes


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair in Z85, 40 characters each."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CurveServer:
    """What an engine needs: its own pair, and who may connect."""

    keys: KeyPair
    clients: Path
    """Folder with one ``NAME.toml`` per allowed client; read at every connection, so that changes count at once."""


@dataclass(frozen=True, slots=True)
class CurveClient:
    """What a client needs: its own pair, and the key of the engine that it means to talk to."""

    keys: KeyPair
    server: str
    """The engine's public key."""


def make_keys() -> KeyPair:
    """Make a new pair."""
    import zmq  # reading and listing keys works without it

    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def save_keys(path: Path, keys: KeyPair) -> None:
    """Write a pair to a file that only its owner can read.

    Raises
    ------
    ConfigurationError
        The file is there already (a key that is in use would be lost) or cannot be written.
    """
    _write(path, f'public = "{keys.public}"\nsecret = "{keys.secret}"\n', 0o600)


def load_keys(path: Path) -> KeyPair:
    """Read a pair.

    Raises
    ------
    ConfigurationError
        The file cannot be read, others can read it, or it holds no pair.
    """
    public, secret = _load(path, ("public", "secret"))
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"others can read the secret key {path}; chmod 600 it, or make a new one")
    return KeyPair(public, secret)


def save_public(path: Path, public: str) -> None:
    """Write a public key, for the other side to be given.

    Raises
    ------
    ConfigurationError
        It is no key, the file is there already, or it cannot be written.
    """
    _write(path, f'public = "{_checked(public, "the public key", path)}"\n', 0o644)


def load_public(path: Path) -> str:
    """Read a public key; a file with a whole pair serves too.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no public key.
    """
    return _load(path, ("public",))[0]


def allow_client(folder: Path, name: str, public: str) -> Path:
    """Allow a client at an engine; return the file that does.

    Parameters
    ----------
    folder
        The engine's folder of keys.

    Raises
    ------
    ConfigurationError
        The name or the key cannot be used, or the name is taken.
    """
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"client name {name[:80]!r}, expected letters, digits, '_', '-' and '.', at most 64")
    path = folder / "clients" / f"{name}.toml"
    save_public(path, public)
    return path


def allowed_clients(folder: Path) -> dict[str, str]:
    """List who may connect.

    Parameters
    ----------
    folder
        Folder with one ``NAME.toml`` per client (``CurveServer.clients``).

    Returns
    -------
    dict
        Name -> public key, sorted by name; empty if there is no such folder.

    Raises
    ------
    ConfigurationError
        One of the files cannot be read, or holds no public key.
    """
    return {path.stem: load_public(path) for path in sorted(folder.glob("*.toml"))}


def load_server(folder: Path) -> CurveServer:
    """Read an engine's folder of keys.

    Raises
    ------
    ConfigurationError
        Its pair or one of its clients' keys cannot be read.
    """
    server = CurveServer(load_keys(folder / "server.toml"), folder / "clients")
    allowed_clients(server.clients)  # a broken file is an error now rather than a client turned away later
    return server


def make_client(folder: Path, name: str) -> CurveClient:
    """Make a pair for a client, allow it at the engine, and return what the client needs; ``save_client`` writes it.

    Raises
    ------
    ConfigurationError
        The engine has no keys yet, the name cannot be used, or it is taken.
    """
    client = CurveClient(make_keys(), load_public(folder / "server.toml"))
    allow_client(folder, name, client.keys.public)
    return client


def save_client(path: Path, client: CurveClient) -> None:
    """Write a client's file, which only its owner can read.

    Raises
    ------
    ConfigurationError
        The file is there already, or cannot be written.
    """
    keys = client.keys
    _write(path, f'public = "{keys.public}"\nsecret = "{keys.secret}"\nserver = "{client.server}"\n', 0o600)


def load_client(path: Path) -> CurveClient:
    """Read a client's file.

    Raises
    ------
    ConfigurationError
        It cannot be read, others can read it, or it holds no keys.
    """
    return CurveClient(load_keys(path), _load(path, ("server",))[0])


def _write(path: Path, text: str, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already; remove it first if its key is no longer in use") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _load(path: Path, names: tuple[str, ...]) -> list[str]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"key file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"key file {path} is not TOML: {error}") from None
    return [_checked(data.get(name), name, path) for name in names]


def _checked(value: object, name: str, path: Path) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise ConfigurationError(f"{name} in {path} is no CURVE key (40 characters of Z85)")
    return value
