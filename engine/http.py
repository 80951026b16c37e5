"""/metrics, /healthz and /readyz over HTTP, in a thread of its own so that a busy engine still answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .settings import host_port

if TYPE_CHECKING:
    from .engine import Engine


class HttpServer:
    """Serves an engine's health and metrics.

    Parameters
    ----------
    engine
        Whose.
    address
        ``HOST:PORT``; port 0 for any free one.
    is_ready
        Whether the engine takes scans now.
    """

    def __init__(self, engine: Engine, address: str, is_ready: Callable[[], bool]) -> None:
        self._engine = engine
        self._is_ready = is_ready
        try:
            self._server = ThreadingHTTPServer(host_port(address), self._handler())
        except OSError as error:
            raise ConfigurationError(f"http {address} cannot be listened on: {error.strerror}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and real port."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Serve until ``close``."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _respond(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        plain = "text/plain; charset=utf-8"
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", self._engine.metrics.text()
            case "/healthz":
                return HTTPStatus.OK, plain, b"ok\n"
            case "/readyz" if self._is_ready():
                return HTTPStatus.OK, plain, b"ready\n"
            case "/readyz":
                return HTTPStatus.SERVICE_UNAVAILABLE, plain, b"not ready\n"
            case _:
                return HTTPStatus.NOT_FOUND, plain, b"there are /metrics, /healthz and /readyz\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        respond = self._respond

        class Handler(BaseHTTPRequestHandler):
            timeout = 10  # seconds for a client that connects and says nothing

            def do_GET(self) -> None:
                status, kind, body = respond(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
                """Scrapes and probes are no events."""

        return Handler
