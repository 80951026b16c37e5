"""Settings of a served engine: a TOML file, then the environment, then flags; each overrides the one before."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from .errors import ConfigurationError
from .limits import MIB, Limits

_ENDPOINT = re.compile(r"tcp://(\*|\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}")
_LOOPBACK = ("127.", "localhost", "[::1]", "::1")


class LimitSettings(BaseModel):
    """The ``[limits]`` table: see ``Limits`` for what each means."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    message_mib: float = Field(default=256, gt=0, le=16384)
    """Longest single message, MiB."""
    header_mib: float = Field(default=8, gt=0, le=1024)
    """Longest MRD XML header, MiB."""
    text_mib: float = Field(default=1, gt=0, le=64)
    """Longest configuration, TEXT or query, MiB."""
    session_mib: float = Field(default=0, ge=0)
    """Most that one session may send, MiB; 0 for no limit."""
    sessions: int = Field(default=4096, ge=1)
    """Sessions open at once."""
    queue_mib: float = Field(default=64, gt=0)
    """Received data that may wait in memory per session, MiB."""
    kspace_mib: float = Field(default=4096, gt=0)
    """Largest k-space grid of one image, over all coils, MiB."""
    handshake_seconds: float = Field(default=120, gt=0)
    """From connecting to the header's end."""
    message_seconds: float = Field(default=60, gt=0)
    """From a message's first byte to its last."""
    idle_seconds: float = Field(default=3600, gt=0)
    """Without any byte while streaming."""
    send_seconds: float = Field(default=120, gt=0)
    """For which a client may leave images unread."""
    gadget_seconds: float = Field(default=600, gt=0)
    """For one call of a gadget."""
    resume_seconds: float = Field(default=60, ge=0)
    """For which a ZeroMQ client that lost its connection may come back."""

    def limits(self) -> Limits:
        """Return them in bytes and seconds."""
        values: dict[str, Any] = {}
        for name, value in self.model_dump().items():
            if name.endswith("_mib"):
                values[name.removesuffix("_mib") + "_bytes"] = int(value * MIB)
            else:
                values[name] = value
        return Limits(**values)


class Settings(BaseSettings):
    """Everything that ``echotrain serve`` can be told."""

    model_config = SettingsConfigDict(
        env_prefix="ECHOTRAIN_",
        env_nested_delimiter="__",
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
    )

    zmq: str | None = "tcp://127.0.0.1:9001"
    """ZeroMQ endpoint, ``tcp://HOST:PORT``; ``off`` for none."""
    mrd: str | None = "tcp://127.0.0.1:9002"
    """MRD/TCP endpoint, ``tcp://HOST:PORT``; ``off`` for none."""
    http: str | None = None
    """``HOST:PORT`` for /metrics, /healthz and /readyz; none if not given."""
    record: Path | None = None
    """Folder for recordings; nothing is recorded if not given."""
    record_sync_seconds: float = Field(default=5.0, ge=0)
    """Longest time for which recorded bytes stay unsynced; 0 leaves it to the operating system."""
    images: Path | None = None
    """Folder for the gadget write_images; chains that write are refused if not given."""
    chains: Path | None = None
    """Folder with chains of your own (NAME.toml), beside the shipped ones."""
    curve: Path | None = None
    """Folder with this engine's CURVE keys (server.toml) and its allowed clients, as ``echotrain keys`` makes it."""
    insecure: bool = False
    """Listen beyond loopback over ZeroMQ without CURVE."""
    log: Literal["console", "json"] = "console"
    """Form of the log, which goes to standard error."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""
    seed: int = Field(default=0, ge=0)
    """Base of all randomness."""
    drain_seconds: float = Field(default=60.0, ge=0)
    """How long SIGTERM waits for running sessions."""
    memory_mib: float | None = Field(default=None, gt=0)
    """Ceiling for the process's data segment (RLIMIT_DATA): a gadget that asks for more fails alone."""
    limits: LimitSettings = LimitSettings()
    """Limits of what a client may ask for."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over environment over file."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @field_validator("zmq", "mrd")
    @classmethod
    def _endpoint(cls, value: str | None) -> str | None:
        if value is None or value == "off":
            return None
        if not _ENDPOINT.fullmatch(value) or int(value.rpartition(":")[2]) > 65_535:
            raise ValueError("expected tcp://HOST:PORT, or off")
        return value

    @field_validator("http")
    @classmethod
    def _http_address(cls, value: str | None) -> str | None:
        if value is None or value == "off":
            return None
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65_535:
            raise ValueError("expected HOST:PORT")
        return value

    @field_validator("chains", "curve")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is no folder")
        return value

    @field_validator("record", "images")
    @classmethod
    def _writable(cls, value: Path | None) -> Path | None:
        if value is not None:
            nearest = next(p for p in (value, *value.absolute().parents) if p.exists())
            if not nearest.is_dir() or not os.access(nearest, os.W_OK):
                raise ValueError(f"{value} cannot be written: {nearest} is not a writable folder")
        return value

    @model_validator(mode="after")
    def _someone_listens(self) -> Self:
        if self.zmq is None and self.mrd is None:
            raise ValueError("both zmq and mrd are off: nothing would listen")
        if self.zmq is not None and not _is_loopback(self.zmq) and self.curve is None and not self.insecure:
            raise ValueError(
                f"zmq {self.zmq} listens beyond loopback without CURVE keys; "
                "give curve (see `echotrain keys`), or insecure = true"
            )
        return self


def _is_loopback(endpoint: str) -> bool:
    return endpoint.removeprefix("tcp://").startswith(_LOOPBACK)


def host_port(endpoint: str) -> tuple[str, int]:
    """Split ``tcp://HOST:PORT`` or ``HOST:PORT``; ``*`` means every address."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    return ("0.0.0.0" if host == "*" else host, int(port))  # noqa: S104 the operator asked for it


def load_settings(file: Path | None, flags: dict[str, Any]) -> Settings:
    """Read settings from file, environment and flags.

    Parameters
    ----------
    file
        TOML file, or None.
    flags
        Flags that were given; those that are None count as not given.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or a value does not fit; one line per value names field, got and expected.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if file is not None and not file.is_file():
        raise ConfigurationError(f"settings file {file} does not exist")

    unknown = _unknown_variables()
    if unknown:
        names = ", ".join(f"ECHOTRAIN_{name.upper()}" for name in (*Settings.model_fields, "config"))
        raise ConfigurationError(f"unknown variables {', '.join(unknown)}; known: {names}")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return FromFile(**given)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}, got {_short(e)}" for e in error.errors()]
        raise ConfigurationError("\n".join(lines)) from None
    except ValueError as error:  # a file that is no TOML
        raise ConfigurationError(f"settings file {file} cannot be read: {error}") from None


def _unknown_variables() -> list[str]:
    """Return ECHOTRAIN_… variables that name no setting: a misspelt one must not be ignored in silence."""
    known = {*Settings.model_fields, "config", "data"}  # where settings are read from; where tests find their scans
    given = {name: name.removeprefix("ECHOTRAIN_").partition("__")[0].lower() for name in os.environ}
    return sorted(name for name, field in given.items() if name.startswith("ECHOTRAIN_") and field not in known)


def _short(error: Any) -> str:
    text = repr(error["input"])
    return text if len(text) <= 200 else text[:200] + "…"
