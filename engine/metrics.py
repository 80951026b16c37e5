"""What an engine counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .. import __version__

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The counters of one engine, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        common = {"registry": self.registry, "namespace": "echotrain"}
        self.sessions_open = Gauge("sessions_open", "Sessions open now", **common)
        self.queue_bytes = Gauge("queue_bytes", "Received bytes that wait in memory, all sessions", **common)
        self.queue_bytes_max = Gauge("queue_bytes_max", "Received bytes that wait in memory, fullest session", **common)
        self.sessions = Counter(
            "sessions", "Sessions ended, by outcome (completed or error code)", ["transport", "outcome"], **common
        )
        self.readouts = Counter("readouts", "Readouts received in sessions that ended", **common)
        self.received = Counter("received_bytes", "Bytes received in sessions that ended", **common)
        self.images = Counter("images", "Images sent", **common)
        self.latency = Histogram(
            "image_latency_seconds",
            "From the arrival of the data that completed an image to its sending",
            buckets=_LATENCY_BUCKETS,
            **common,
        )
        Gauge("info", "Version", ["version"], **common).labels(__version__).set(1)

    def watch(self, sessions: Callable[[], int], queue_bytes: Callable[[], list[int]]) -> None:
        """Read the gauges from these functions whenever they are scraped."""
        self.sessions_open.set_function(sessions)
        self.queue_bytes.set_function(lambda: sum(queue_bytes()))
        self.queue_bytes_max.set_function(lambda: max(queue_bytes(), default=0))

    def text(self) -> bytes:
        """Return the Prometheus exposition."""
        return generate_latest(self.registry)
