"""What a gadget is, and what it is given.

A gadget is a keyword-only dataclass: its fields are its configuration, each with a docstring, checked by pydantic when
the chain is built; its state lives in fields with ``init=False``. What it accepts is read from the annotation of
``receive``'s first argument, what it makes from the return annotation. Everything else passes it by.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from .errors import ConfigurationError
from .limits import Limits
from .messages import Message
from .mrd_header import ScanHeader
from .noise_store import NoiseStore

if TYPE_CHECKING:
    from pathlib import Path

In = TypeVar("In", bound=Message)
Out = TypeVar("Out", bound=Message)
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What a chain knows of its session; given to every gadget's ``start``."""

    header: ScanHeader
    session: str = "embedded"
    """Session id, as in the log and in recordings."""
    chain: str = "unnamed"
    chain_hash: str = ""
    """SHA-256 of the chain's resolved configuration, for the images' provenance."""
    seed: int = 0
    recording: str | None = None
    """Name of the recording that holds this session, or None if nothing is recorded."""
    images: Path | None = None
    """Folder of the operator's choice where ``write_images`` puts files, or None if it gave none."""
    noise_store: NoiseStore = dataclasses.field(default_factory=NoiseStore)
    """Noise covariances of earlier measurements, by measurement id."""
    kspace_bytes: int = Limits().kspace_bytes
    """The operator's limit for the k-space of one image; no chain may ask for more."""
    notify: Callable[[Message], None] = lambda _: None
    """Sends a ``Progress`` or ``Text`` at once, past the gadgets that follow."""
    decided: Callable[[str, str], None] = lambda _action, _flag: None
    """Counts an image that a policy decided about, for the engine's metrics: what was done, and for which flag."""
    cancelled: Callable[[], bool] = lambda: False
    """True once the session is to end; slow gadgets ask between steps and raise ``Cancelled``."""


@dataclasses.dataclass(frozen=True)
class Signature:
    """Message types that a gadget accepts and makes."""

    accepts: tuple[type[Message], ...]
    makes: tuple[type[Message], ...]


@dataclasses.dataclass(kw_only=True)
class Gadget(Generic[In, Out]):
    """One step of a chain. Subclasses are ``@dataclass(kw_only=True)``."""

    heavy: ClassVar[bool] = False
    """True for a gadget that computes for long: the chain is cut before it and it runs on a worker of its own."""

    at_once: int = dataclasses.field(init=False, default=1)
    """Most messages that ``receive_many`` takes; a heavy gadget that is faster with several sets it in ``start``."""

    def types(self) -> Signature:
        """Message types that it accepts and makes. The chain asks once; a gadget may narrow them by its fields."""
        return signature(type(self))

    def start(self, context: Context) -> None:
        """Prepare for a scan. The chain calls it once, in chain order, before the first message."""

    def receive(self, message: In) -> Iterable[Out]:
        """Take one accepted message and yield what follows from it. The chain calls it for every message of type In."""
        raise TypeError(f"{type(self).__name__} defines no receive()")

    def receive_many(self, messages: Sequence[In]) -> Iterable[Out]:
        """Take accepted messages that wait already, up to ``at_once``, and yield what follows from each, in order.

        The chain calls it instead of ``receive`` where more than one waits. What comes out may not depend on how many
        did.
        """
        for message in messages:
            yield from self.receive(message)

    def finish(self) -> Iterable[Out]:
        """Yield what is left. The chain calls it once, after the last message, unless the session was aborted."""
        return ()


def signature(cls: type[Gadget[Any, Any]]) -> Signature:
    """Read a gadget's message types from the annotations of ``receive``.

    Raises
    ------
    ConfigurationError
        An annotation is missing or names something that is no message.
    """
    try:
        hints = get_type_hints(cls.receive)
    except NameError as error:
        raise ConfigurationError(
            f"gadget {cls.__name__}: an annotation of receive() cannot be read when the program runs: {error}; import "
            "that name outside `if TYPE_CHECKING`"
        ) from error
    parameters = list(inspect.signature(cls.receive).parameters)[1:]
    if not parameters or parameters[0] not in hints or "return" not in hints:
        raise ConfigurationError(
            f"gadget {cls.__name__}: receive() needs annotations, "
            "for example receive(self, message: KSpace) -> Iterable[CoilImages]"
        )
    returned = hints["return"]
    if get_origin(returned) is None or not get_args(returned):
        raise ConfigurationError(
            f"gadget {cls.__name__}: receive() returns {returned!r}, expected Iterable[SomeMessage]"
        )
    return Signature(_messages(cls, hints[parameters[0]]), _messages(cls, get_args(returned)[0]))


def _messages(cls: type, annotation: Any) -> tuple[type[Message], ...]:
    members = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    members = tuple(m for m in members if m is not type(None))
    for member in members:
        if not (isinstance(member, type) and issubclass(member, Message)):
            raise ConfigurationError(f"gadget {cls.__name__}: receive() names {member!r}, which is no message type")
    return members


def config_fields(cls: type[Gadget[Any, Any]]) -> Mapping[str, dataclasses.Field[Any]]:
    """Return the fields of a gadget that a chain may set, in order."""
    return MappingProxyType({f.name: f for f in dataclasses.fields(cls) if f.init})


@overload
def gadget(function: Function, /) -> type[Gadget[Any, Any]]: ...
@overload
def gadget(*, heavy: bool = False) -> Callable[[Function], type[Gadget[Any, Any]]]: ...
def gadget(function: Function | None = None, /, *, heavy: bool = False) -> Any:
    """Make a gadget of a function from one message to one message (or None to swallow it).

    Keyword-only parameters of the function become the gadget's fields::

        @gadget
        def conjugate(message: KSpace, *, factor: float = 1.0) -> KSpace: ...
    """

    def decorate(f: Function) -> type[Gadget[Any, Any]]:
        hints = get_type_hints(f, include_extras=True)
        parameters = list(inspect.signature(f).parameters.values())
        if not parameters or parameters[0].name not in hints or "return" not in hints:
            raise ConfigurationError(f"gadget {f.__name__} needs annotations, for example (message: KSpace) -> KSpace")
        positional, *options = parameters
        if any(o.kind is not o.KEYWORD_ONLY for o in options):
            raise ConfigurationError(f"gadget {f.__name__}: parameters after the message must be keyword-only")
        accepts, makes = hints[positional.name], hints["return"]

        def receive(self: Any, message: Any) -> Any:
            result = f(message, **{o.name: getattr(self, o.name) for o in options})
            return () if result is None else (result,)

        receive.__annotations__ = {"message": accepts, "return": Iterable[makes]}  # type: ignore[valid-type]
        fields: list[Any] = [
            (o.name, hints[o.name], dataclasses.field(**({} if o.default is o.empty else {"default": o.default})))
            for o in options
        ]
        namespace = {"receive": receive, "heavy": heavy, "__doc__": f.__doc__, "__module__": f.__module__}
        return dataclasses.make_dataclass(f.__name__, fields, bases=(Gadget,), namespace=namespace, kw_only=True)

    return decorate if function is None else decorate(function)
