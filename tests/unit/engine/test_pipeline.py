import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from echotrain.engine.chain import Chain
from echotrain.engine.gadget import Context, Gadget
from echotrain.engine.messages import Message, Text, Waveform
from echotrain.engine.mrd_header import ScanHeader
from echotrain.engine.pipeline import Pipeline


@dataclass(kw_only=True)
class Pass(Gadget[Text, Text]):
    """The first segment: texts as they are."""

    def receive(self, message: Text) -> Iterable[Text]:
        return (message,)


@dataclass(kw_only=True)
class Group(Gadget[Text, Text]):
    """Says what came together; the first text waits until all are there."""

    heavy = True
    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def start(self, context: Context) -> None:
        self.at_once = 3

    def receive(self, message: Text) -> Iterable[Text]:
        self.begun.set()
        self.gate.wait(5)
        yield Text(message.text)

    def receive_many(self, messages) -> Iterable[Text]:
        yield Text("+".join(message.text for message in messages))

    def finish(self) -> Iterable[Text]:
        yield Text("end")


def run(messages: list[Message]) -> list[Message]:
    """What comes out if all messages but the first wait while that is handled."""
    group, out, drained = Group(), [], threading.Event()
    chain = Chain([("pass", Pass()), ("group", group)], check=False)
    chain.start(Context(header=ScanHeader(())))
    pipeline = Pipeline(
        chain, "test", deliver=out.append, drained=drained.set, guarded=lambda act: act(), stopped=lambda: False
    )
    first, *rest = messages
    pipeline.feed(first)
    assert group.begun.wait(5)
    for message in rest:
        pipeline.feed(message)
    group.gate.set()
    pipeline.finish()
    assert drained.wait(5)
    return out


def test_what_waits_is_taken_together_up_to_what_the_gadget_takes_and_all_before_the_end():
    out = run([Text(letter) for letter in "abcde"])
    assert [message.text for message in out] == ["a", "b+c+d", "e", "end"]


def test_what_the_gadget_does_not_take_keeps_its_place(build):
    waveform = build.waveform()
    assert isinstance(waveform, Waveform)
    out = run([Text("a"), Text("b"), waveform, Text("c"), Text("d")])
    assert [getattr(message, "text", "waveform") for message in out] == ["a", "b", "waveform", "c+d", "end"]
