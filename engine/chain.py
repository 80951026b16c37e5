"""A chain of gadgets: synchronous, in one thread, without I/O.

What a gadget accepts goes through it; everything else passes by, unchanged and in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

from .errors import ChainError, EchotrainError, GadgetError
from .gadget import Context, Gadget, Signature
from .messages import Array, Image, Message, Progress, Readouts, Text, Waveform

T = TypeVar("T")

TO_CLIENT: tuple[type[Message], ...] = (Image, Waveform, Array, Text, Progress)
"""What may leave a chain."""
_END = Text("")
"""Stands for the end of what a gadget gives; known by identity."""


@dataclass(frozen=True, slots=True)
class Link:
    """A gadget in its place."""

    name: str
    gadget: Gadget[Any, Any]
    types: Signature
    """Read once: a gadget may work it out from its fields."""


class Chain:
    """Gadgets in a row.

    Parameters
    ----------
    gadgets
        (name, gadget) in order.
    check
        Whether neighbours are checked; False only for a part of a chain that was.

    Raises
    ------
    ChainError
        Neighbours do not fit: a gadget accepts only what nothing before it makes, or something that no client can
        receive reaches the end.
    """

    def __init__(self, gadgets: Iterable[tuple[str, Gadget[Any, Any]]], *, check: bool = True) -> None:
        pairs = list(gadgets)
        if check:
            check_neighbours(pairs)
        self._links = [Link(name, g, g.types()) for name, g in pairs]
        self.current: str | None = None
        """Name of the gadget that ran last: the one to blame if the chain does not return."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the gadgets, in order."""
        return tuple(link.name for link in self._links)

    def start(self, context: Context) -> None:
        """Prepare every gadget for a scan, in order."""
        for link in self._links:
            self.current = link.name
            _guarded(link, partial(link.gadget.start, context))

    def feed(self, message: Message) -> Iterator[Message]:
        """Take one message through the chain and yield what comes out of it.

        Raises
        ------
        GadgetError
            A gadget raised something that is not an ``EchotrainError``; it names the gadget.
        """
        return self._through(0, message)

    def at_once(self, message: object) -> int:
        """Return how many messages the first gadget takes at once if this is one of them; 1 if it does not take it."""
        first = self._links[0] if self._links else None
        return first.gadget.at_once if first is not None and isinstance(message, first.types.accepts) else 1

    def feed_many(self, messages: Sequence[Message]) -> Iterator[Message]:
        """Take messages that the first gadget accepts, up to ``at_once`` of them, through the chain.

        Raises
        ------
        GadgetError
            As ``feed``.
        """
        first = self._links[0]
        for result in self._results(first, partial(first.gadget.receive_many, messages)):
            yield from self._through(1, result)

    def finish(self) -> Iterator[Message]:
        """End the scan: every gadget in turn gives what it holds, and that goes through those after it."""
        for index, link in enumerate(self._links):
            for message in self._results(link, link.gadget.finish):
                yield from self._through(index + 1, message)

    def segments(self) -> list[Chain]:
        """Cut the chain before every heavy gadget, for one worker each; feeding them in a row is feeding this."""
        cuts = [0, *(i for i, link in enumerate(self._links) if link.gadget.heavy and i > 0), len(self._links)]
        pairs = [(link.name, link.gadget) for link in self._links]
        return [Chain(pairs[first:last], check=False) for first, last in pairwise(cuts)]

    def _through(self, index: int, message: Message) -> Iterator[Message]:
        for position in range(index, len(self._links)):
            link = self._links[position]
            if isinstance(message, link.types.accepts):
                for result in self._results(link, partial(link.gadget.receive, message)):
                    yield from self._through(position + 1, result)
                return
        yield message

    def _results(self, link: Link, call: Callable[[], Iterable[Message]]) -> Iterator[Message]:
        self.current = link.name
        iterator = _guarded(link, lambda: iter(call()))
        while True:
            self.current = link.name
            message = _guarded(link, partial(next, iterator, _END))
            if message is _END:
                return
            if not isinstance(message, link.types.makes):
                raise GadgetError(
                    f"gadget {link.name!r} made {type(message).__name__}, expected {_names(link.types.makes)} as its "
                    "receive() declares",
                    gadget=link.name,
                )
            yield message


def check_neighbours(gadgets: Sequence[tuple[str, Gadget[Any, Any]]]) -> None:
    """Check that every gadget's input is made before it and that only messages for clients reach the end.

    Raises
    ------
    ChainError
        Names the gadget, what it accepts and what is there at its place.
    """
    present: set[type[Message]] = {Readouts, Waveform, Text, Image, Array}
    # a client may send them, but a chain that handles no images or arrays is not wrong for that
    for position, (name, gadget) in enumerate(gadgets):
        types = gadget.types()
        taken = {p for p in present if issubclass(p, types.accepts)}
        if not taken:
            raise ChainError(
                f"gadget {position + 1} ({name!r}) accepts {_names(types.accepts)}, "
                f"but before it there is only {_names(present)}"
            )
        present = (present - taken) | set(types.makes)
    stranded = {p for p in present if not issubclass(p, TO_CLIENT)}
    if stranded:
        raise ChainError(
            f"{_names(stranded)} would reach the end of the chain, where only {_names(TO_CLIENT)} can be sent; "
            "add a gadget that takes it (discard drops it and says so)"
        )


def _names(types: Iterable[type[Message]]) -> str:
    return ", ".join(sorted(t.__name__ for t in types))


def _guarded(link: Link, call: Callable[[], T]) -> T:
    try:
        return call()
    except EchotrainError as error:
        error.gadget = error.gadget or link.name
        raise
    except Exception as error:
        raise _wrapped(link, error) from error


def _wrapped(link: Link, error: Exception) -> GadgetError:
    kind = "ran out of memory" if isinstance(error, MemoryError) else f"raised {type(error).__name__}"
    return GadgetError(f"gadget {link.name!r} {kind}: {error}", gadget=link.name)
