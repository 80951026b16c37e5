"""Messages that a chain has no use for, dropped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from ..engine.gadget import Gadget, Signature
from ..engine.messages import Array, Image, Readouts, Text, Waveform

_KINDS = {"readouts": Readouts, "waveforms": Waveform, "images": Image, "arrays": Array}


@dataclass(kw_only=True)
class Discard(Gadget[Readouts | Waveform | Image | Array, Text]):
    """Drop messages of some kinds, and say at the end how many."""

    kinds: Annotated[tuple[Literal["readouts", "waveforms", "images", "arrays"], ...], Field(min_length=1)] = (
        "readouts",
        "waveforms",
    )
    """Kinds to drop; others pass."""

    _dropped: Counter[str] = field(init=False, default_factory=Counter)

    def types(self) -> Signature:
        """Accept the chosen kinds alone."""
        return Signature(tuple(_KINDS[kind] for kind in dict.fromkeys(self.kinds)), (Text,))

    def receive(self, message: Readouts | Waveform | Image | Array) -> Iterable[Text]:
        """Count and drop."""
        kind = next(kind for kind, cls in _KINDS.items() if isinstance(message, cls))
        self._dropped[kind] += len(message) if isinstance(message, Readouts) else 1
        return ()

    def finish(self) -> Iterator[Text]:
        """Say what was dropped."""
        if self._dropped:
            counts = ", ".join(f"{self._dropped[kind]} {kind}" for kind in _KINDS if self._dropped[kind])
            yield Text(f"DBG discard: {counts} dropped, as the chain asks")
