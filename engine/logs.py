"""Logging for a served engine: structlog to standard error, as JSON lines or for a console."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure_logging(form: Literal["console", "json"] = "console", level: str = "info") -> None:
    """Set structlog up for this process; libraries that embed echotrain keep their own settings by not calling it."""
    renderer: structlog.typing.Processor
    if form == "json":
        processors = [structlog.processors.format_exc_info]
        renderer = structlog.processors.JSONRenderer()
    else:
        processors = []
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *processors,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
