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
        ours = self.registry
        self.sessions_open = Gauge("echotrain_sessions_open", "Sessions open now", registry=ours)
        self.queue_bytes = Gauge(
            "echotrain_queue_bytes", "Received bytes that wait in memory, all sessions", registry=ours
        )
        self.queue_bytes_max = Gauge(
            "echotrain_queue_bytes_max", "Received bytes that wait in memory, fullest session", registry=ours
        )
        self.sessions = Counter(
            "echotrain_sessions",
            "Sessions ended, by outcome (completed or error code)",
            ["transport", "outcome"],
            registry=ours,
        )
        self.readouts = Counter("echotrain_readouts", "Readouts received in sessions that ended", registry=ours)
        self.received = Counter("echotrain_received_bytes", "Bytes received in sessions that ended", registry=ours)
        self.images = Counter("echotrain_images", "Images sent", registry=ours)
        self.decisions = Counter(
            "echotrain_decisions",
            "Images that a policy on artifact flags decided about, by action and worst flag",
            ["action", "flag"],
            registry=ours,
        )
        self.latency = Histogram(
            "echotrain_image_latency_seconds",
            "From the arrival of the data that completed an image to its sending",
            buckets=_LATENCY_BUCKETS,
            registry=ours,
        )
        Gauge("echotrain_info", "Version", ["version"], registry=ours).labels(__version__).set(1)

    def watch(self, sessions: Callable[[], int], queue_bytes: Callable[[], list[int]]) -> None:
        """Read the gauges from these functions whenever they are scraped."""
        self.sessions_open.set_function(sessions)
        self.queue_bytes.set_function(lambda: sum(queue_bytes()))
        self.queue_bytes_max.set_function(lambda: max(queue_bytes(), default=0))

    def text(self) -> bytes:
        """Return the Prometheus exposition."""
        return generate_latest(self.registry)
