"""Scans that are only to be recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..engine.errors import ConfigurationError
from ..engine.gadget import Context, Gadget
from ..engine.messages import Readouts, Text, Waveform


@dataclass(kw_only=True)
class RequireRecording(Gadget[Readouts | Waveform, Text]):
    """Refuse the scan unless it is being recorded; then take its data, which are on disk, and say what came."""

    _recording: str = field(init=False, default="")
    _readouts: int = field(init=False, default=0)
    _waveforms: int = field(init=False, default=0)

    def start(self, context: Context) -> None:
        """Check that there is a recording."""
        if context.recording is None:
            raise ConfigurationError(
                "nothing is being recorded here; this chain only records, so start the engine with --record DIR"
            )
        self._recording = context.recording

    def receive(self, message: Readouts | Waveform) -> Iterable[Text]:
        """Count."""
        if isinstance(message, Readouts):
            self._readouts += len(message)
        else:
            self._waveforms += 1
        return ()

    def finish(self) -> Iterator[Text]:
        """Name the recording and what it holds."""
        yield Text(f"recorded {self._readouts} readouts and {self._waveforms} waveforms as {self._recording}")
