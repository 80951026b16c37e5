"""What ``serve --check`` looks at without listening: keys and every chain that clients may name."""

from __future__ import annotations

from collections.abc import Iterator

from .chain_config import ChainLibrary
from .curve_keys import load_server
from .errors import ConfigurationError
from .registry import Registry
from .settings import Settings


def check_everything(settings: Settings, registry: Registry | None = None) -> Iterator[str]:
    """Check settings that loaded, and yield a line for each thing that is in order.

    Raises
    ------
    ConfigurationError
        Something is not; every chain at fault is named.
    """
    registry = registry or Registry()
    for name in ("zmq", "mrd", "http", "record", "images", "chains"):
        value = getattr(settings, name)
        yield f"{name}: {value if value is not None else 'off'}"
    if settings.curve is not None:
        load_server(settings.curve)
        yield f"curve: keys in {settings.curve}"
    library = ChainLibrary(*([settings.chains] if settings.chains is not None else []))
    faults = []
    for name in library.names:
        try:
            chain, _ = library.get(name).build(registry)
            yield f"chain {name}: {' > '.join(chain.names)}"
        except ConfigurationError as error:
            faults.append(str(error))
    if faults:
        raise ConfigurationError("\n".join(faults))
