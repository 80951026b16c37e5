"""What talks to an engine: the library client, the scanner simulator, replay and the command line.

::

    from echotrain.clients import Client

    with Client("tcp://127.0.0.1:9001") as client:
        images = client.reconstruct("scan.h5", chain="default")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .async_client import AsyncClient
    from .client import Client
    from .scan_file import read_scan

__all__ = ["AsyncClient", "Client", "read_scan"]


def __getattr__(name: str) -> object:
    """Import on first use, so that ``echotrain --help`` needs no NumPy."""
    if name == "AsyncClient":
        from .async_client import AsyncClient

        return AsyncClient
    if name == "Client":
        from .client import Client

        return Client
    if name == "read_scan":
        from .scan_file import read_scan

        return read_scan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
