"""The engine: what all sessions share. It opens no socket; transports bring it their peers."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path
from typing import Any

from .. import __version__
from .chain import Chain
from .chain_config import ChainLibrary
from .errors import Refused
from .gadget import Context
from .limits import Limits
from .logs import get_logger
from .messages import Image, Message, Query, Response
from .metrics import Metrics
from .mrd_header import parse_header
from .noise_store import NoiseStore
from .peer import Peer
from .recorder import Recorder
from .registry import Registry
from .runner import Runner
from .session import Build


class Engine:
    """Sessions, and what they have in common: gadgets, chains, limits, noise measurements, metrics.

    Parameters
    ----------
    registry
        The gadgets that chains may name.
    library
        The chains that clients may name.
    limits
        What a client may ask for.
    recordings
        Folder for recordings, or None to record nothing.
    images
        Folder for ``write_images``, or None if chains may write none.
    seed
        Base of all randomness.
    record_sync_seconds
        See ``Recorder``.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        library: ChainLibrary | None = None,
        *,
        limits: Limits | None = None,
        recordings: Path | None = None,
        images: Path | None = None,
        seed: int = 0,
        record_sync_seconds: float = 5.0,
    ) -> None:
        self.registry = registry or Registry()
        self.library = library or ChainLibrary()
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.noise_store = NoiseStore()
        self._recordings = recordings
        self._images = images
        self._seed = seed
        self._record_sync_seconds = record_sync_seconds
        self._runners: dict[str, Runner] = {}
        self._changed = threading.Condition()
        self._draining = False
        self._started = time.time()
        self._log = get_logger()
        self.metrics.watch(lambda: len(self._runners), lambda: [r.waiting_bytes for r in list(self._runners.values())])

    # for transports

    def open(self, peer: Peer, *, transport: str, remote: str) -> Runner:
        """Begin a session.

        Raises
        ------
        Refused
            The engine is draining, or has as many sessions as its limits allow.
        """
        session_id = secrets.token_hex(16)
        recorder = None
        if self._recordings is not None:
            origin = {"transport": transport, "remote": remote, "version": __version__}
            recorder = Recorder(self._recordings, session_id, origin, sync_seconds=self._record_sync_seconds)
        runner = Runner(self, peer, session_id=session_id, transport=transport, remote=remote, recorder=recorder)
        with self._changed:
            if self._draining:
                raise Refused("the engine is shutting down and takes no new sessions")
            if len(self._runners) >= self.limits.sessions:
                raise Refused(f"the engine has {len(self._runners)} sessions, as many as its settings allow")
            self._runners[session_id] = runner
        runner.log.debug("session opened", remote=remote)
        return runner

    # for runners

    def build(self, order: Build, runner: Runner) -> Chain:
        """Build and start the chain that a client asks for.

        Raises
        ------
        ChainError
            There is no such chain, or it cannot be built.
        HeaderError
            The scan's header cannot be used.
        """
        spec = self.library.choose(order.config, order.parameters)
        header = parse_header(order.header.xml, max_bytes=self.limits.header_bytes)
        chain, chain_hash = spec.build(self.registry)
        runner.chain_name = spec.name
        recorder = runner.recorder
        if recorder is not None:
            recorder.describe(chain=spec.name, chain_hash=chain_hash)
        chain.start(
            Context(
                header=header,
                session=runner.session_id,
                chain=spec.name,
                chain_hash=chain_hash,
                seed=self._seed,
                recording=None if recorder is None else recorder.name,
                images=self._images,
                noise_store=self.noise_store,
                kspace_bytes=self.limits.kspace_bytes,
                notify=runner.notify,
                decided=lambda action, flag: self.metrics.decisions.labels(action, flag).inc(),
                cancelled=lambda: runner.cancelled,
            )
        )
        runner.log.info("scan started", chain=spec.name, chain_hash=chain_hash[:12], remote=runner.remote)
        for note in header.notes:
            runner.log.warning("header adapted", note=note)
        return chain

    def answer(self, query: Query) -> Response:
        """Answer a query: ``version`` or ``chains``; anything else is told what there is."""
        answers = {"version": __version__, "chains": " ".join(self.library.names)}
        return Response(query.correlation, answers.get(query.text.strip(), f"known queries: {', '.join(answers)}"))

    def delivered(self, message: Message, seconds: float) -> None:
        """Count what was sent."""
        if isinstance(message, Image):
            self.metrics.images.inc()
            self.metrics.latency.observe(seconds)

    def ended(self, runner: Runner, outcome: str) -> None:
        """Forget a session."""
        with self._changed:
            self._runners.pop(runner.session_id, None)
            self._changed.notify_all()
        self.metrics.sessions.labels(runner.transport, outcome.partition(":")[0]).inc()
        self.metrics.readouts.inc(runner.counts.readouts)
        self.metrics.received.inc(runner.counts.received_bytes)
        runner.log.info(
            "session ended",
            outcome=outcome,
            chain=runner.chain_name,
            readouts=runner.counts.readouts,
            bytes=runner.counts.received_bytes,
            images=runner.counts.images,
        )

    # for the server

    def check_time(self) -> None:
        """Fail sessions whose gadgets do not return; to be called every second or so."""
        now = time.monotonic()
        for runner in list(self._runners.values()):
            runner.check_time(now)

    def drain(self, seconds: float) -> bool:
        """Take no new sessions and wait for those there are; after ``seconds`` cancel what is left.

        Returns
        -------
        bool
            Whether all ended by themselves.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            self._draining = True
            while self._runners and time.monotonic() < deadline:
                self._changed.wait(min(0.5, max(0.01, deadline - time.monotonic())))
            left = list(self._runners.values())
        for runner in left:
            runner.cancel("the engine is shutting down")
        return not left

    def status(self) -> dict[str, Any]:
        """Say how the engine is: version, sessions, queues, chains; plain data."""
        return {
            "version": __version__,
            "uptime_seconds": round(time.time() - self._started, 1),
            "draining": self._draining,
            "recording": self._recordings is not None,
            "chains": list(self.library.names),
            "sessions": [
                {
                    "session": r.session_id[:8],
                    "transport": r.transport,
                    "remote": r.remote,
                    "state": r.state.value,
                    "chain": r.chain_name,
                    "readouts": r.counts.readouts,
                    "received_bytes": r.counts.received_bytes,
                    "waiting_bytes": r.waiting_bytes,
                    "images": r.counts.images,
                }
                for r in list(self._runners.values())
            ],
        }
