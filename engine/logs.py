"""The log: structlog in front of the standard library's logger ``echotrain``.

As a library, echotrain logs as others do: warnings reach standard error, more only if the program sets logging up. The
commands call ``configure_logging``.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog
from structlog.typing import EventDict

NAME = "echotrain"
_console = structlog.dev.ConsoleRenderer(colors=False)
_render: Any = _console


def get_logger() -> Any:
    """Return a logger; ``bind(session=...)`` puts a session's id on every line."""
    return structlog.wrap_logger(
        logging.getLogger(NAME),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _rendered,
        ],
    )


def configure_logging(form: Literal["console", "json"] = "console", level: str = "info") -> None:
    """Send the log of this process to standard error.

    Parameters
    ----------
    form
        ``json`` for one object a line, ``console`` for people.
    level
        Least severity that is logged: debug, info, warning, error or critical.
    """
    global _render  # noqa: PLW0603 one log a process
    if form == "json":
        _render = structlog.processors.JSONRenderer(default=str)
    else:
        _render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    logger = logging.getLogger(NAME)
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


def _rendered(logger: Any, method: str, event: EventDict) -> Any:
    if not isinstance(_render, structlog.dev.ConsoleRenderer):
        event = structlog.processors.format_exc_info(logger, method, event)
    return _render(logger, method, event)
