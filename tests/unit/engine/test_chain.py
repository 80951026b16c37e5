from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from echotrain.engine.chain import Chain
from echotrain.engine.errors import ChainError, DataError, GadgetError
from echotrain.engine.gadget import Context, Gadget
from echotrain.engine.messages import Image, Message, Readouts, Text
from echotrain.engine.mrd_header import ScanHeader
from echotrain.engine.records import CoilImages, KSpace


@dataclass(kw_only=True)
class Count(Gadget[Readouts, Text]):
    """Readouts in, a text each, and a last word."""

    word: str = "block"
    _seen: int = field(init=False, default=0)

    def receive(self, message: Readouts) -> Iterable[Text]:
        self._seen += 1
        yield Text(f"{self.word} {self._seen}")

    def finish(self) -> Iterator[Text]:
        yield Text(f"{self.word} end")


@dataclass(kw_only=True)
class Shout(Gadget[Text, Text]):
    """Texts in capitals, twice; a last word of its own."""

    heavy = True

    def receive(self, message: Text) -> Iterable[Text]:
        return [Text(message.text.upper())] * 2

    def finish(self) -> Iterator[Text]:
        yield Text("shout end")


def test_what_a_gadget_takes_goes_through_and_the_rest_passes_in_order(build):
    chain = Chain([("count", Count())])
    waveform, block = build.waveform(), build.readouts(1)
    out = [m for message in (waveform, block, waveform) for m in chain.feed(message)]
    assert out == [waveform, Text("block 1"), waveform]
    assert chain.names == ("count",)


def test_what_one_gadget_makes_goes_into_the_next_at_the_end_too(build):
    chain = Chain([("count", Count()), ("shout", Shout())])
    assert [m.text for m in chain.feed(build.readouts(1))] == ["BLOCK 1", "BLOCK 1"]
    assert [m.text for m in chain.finish()] == ["BLOCK END", "BLOCK END", "shout end"]


def test_segments_fed_in_a_row_are_the_chain(build):
    gadgets = [("count", Count()), ("shout", Shout()), ("again", Shout())]
    parts = Chain(gadgets).segments()
    assert [part.names for part in parts] == [("count",), ("shout",), ("again",)]
    fed = [c for a in parts[0].feed(build.readouts(1)) for b in parts[1].feed(a) for c in parts[2].feed(b)]
    assert [m.text for m in fed] == ["BLOCK 1"] * 4


@dataclass(kw_only=True)
class Group(Gadget[Text, Text]):
    """Texts, each with the number of those that came with it."""

    def start(self, context: Context) -> None:
        self.at_once = 3

    def receive(self, message: Text) -> Iterable[Text]:
        return self.receive_many([message])

    def receive_many(self, messages) -> Iterable[Text]:
        for message in messages:
            yield Text(f"{message.text} of {len(messages)}")


def test_messages_that_the_first_gadget_takes_together_go_through_the_rest_one_by_one():
    chain = Chain([("group", Group()), ("shout", Shout())], check=False)
    chain.start(Context(header=ScanHeader(())))
    assert chain.at_once(Text("a")) == 3
    out = [m.text for m in chain.feed_many([Text("a"), Text("b")])]
    assert out == ["A OF 2", "A OF 2", "B OF 2", "B OF 2"]


def test_what_the_first_gadget_does_not_take_is_never_taken_together(build):
    chain = Chain([("group", Group())], check=False)
    chain.start(Context(header=ScanHeader(())))
    assert chain.at_once(build.waveform()) == chain.at_once("no message") == 1
    assert Chain([], check=False).at_once(Text("a")) == 1
    assert Chain([("shout", Shout())], check=False).at_once(Text("a")) == 1


def test_a_gadget_without_a_way_of_its_own_takes_several_messages_one_after_the_other():
    chain = Chain([("shout", Shout())], check=False)
    assert [m.text for m in chain.feed_many([Text("a"), Text("b")])] == ["A", "A", "B", "B"]


def test_what_fails_together_names_the_gadget():
    @dataclass(kw_only=True)
    class Broken(Group):
        def receive_many(self, messages) -> Iterable[Text]:
            yield Text("before")
            raise KeyError("x")

    stream = Chain([("broken", Broken())], check=False).feed_many([Text("a"), Text("b")])
    assert next(stream) == Text("before")
    with pytest.raises(GadgetError, match="gadget 'broken' raised KeyError: 'x'"):
        next(stream)


def test_start_runs_in_order_with_the_context():
    order = []

    @dataclass(kw_only=True)
    class Note(Count):
        def start(self, context: Context) -> None:
            order.append((self.word, context.session))

    Chain([("a", Note(word="a")), ("b", Note(word="b"))], check=False).start(
        Context(header=ScanHeader(()), session="s")
    )
    assert order == [("a", "s"), ("b", "s")]


@dataclass(kw_only=True)
class ToKSpace(Gadget[Readouts, KSpace]):
    def receive(self, message: Readouts) -> Iterable[KSpace]:
        return ()


@dataclass(kw_only=True)
class ToCoils(Gadget[KSpace, CoilImages]):
    def receive(self, message: KSpace) -> Iterable[CoilImages]:
        return ()


def test_a_gadget_whose_input_nothing_makes_is_refused_by_place_and_name():
    with pytest.raises(
        ChainError, match=r"gadget 1 \('coils'\) accepts KSpace, but before it there is only .*Readouts"
    ):
        Chain([("coils", ToCoils()), ("kspace", ToKSpace())])


def test_what_no_client_can_receive_may_not_reach_the_end():
    with pytest.raises(ChainError, match="CoilImages would reach the end of the chain"):
        Chain([("kspace", ToKSpace()), ("coils", ToCoils())])
    with pytest.raises(ChainError, match="Readouts would reach the end"):
        Chain([("shout", Shout())])


def failing(error):
    @dataclass(kw_only=True)
    class Failing(Gadget[Readouts, Text]):
        def receive(self, message: Readouts) -> Iterable[Text]:
            yield Text("before")
            raise error

    return Chain([("failing", Failing())])


def test_a_gadget_that_raises_is_named_and_what_it_gave_before_comes_out(build):
    stream = failing(KeyError("x")).feed(build.readouts(1))
    assert next(stream) == Text("before")
    with pytest.raises(GadgetError, match="gadget 'failing' raised KeyError: 'x'") as caught:
        next(stream)
    assert caught.value.gadget == "failing"


def test_running_out_of_memory_is_an_error_of_the_gadget(build):
    with pytest.raises(GadgetError, match="gadget 'failing' ran out of memory"):
        list(failing(MemoryError("8 GiB")).feed(build.readouts(1)))


def test_our_own_errors_keep_their_type_and_learn_the_gadget(build):
    with pytest.raises(DataError) as caught:
        list(failing(DataError("bad")).feed(build.readouts(1)))
    assert caught.value.gadget == "failing"


def test_a_start_that_fails_names_its_gadget():
    @dataclass(kw_only=True)
    class Stuck(Count):
        def start(self, context: Context) -> None:
            raise OSError("no disk")

    with pytest.raises(GadgetError, match="gadget 'stuck' raised OSError: no disk"):
        Chain([("stuck", Stuck())]).start(Context(header=ScanHeader(())))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (None, "raised TypeError: 'NoneType' object is not iterable"),
        ([None], "made NoneType, expected Text"),
        ([Image(None, None)], "made Image, expected Text"),
        (["text"], "made str, expected Text"),
    ],
)
def test_a_gadget_that_makes_what_it_does_not_declare_is_an_error_and_nothing_is_lost_silently(build, made, text):
    @dataclass(kw_only=True)
    class Wrong(Gadget[Readouts, Text]):
        def receive(self, message: Readouts) -> Iterable[Text]:
            return made

    with pytest.raises(GadgetError, match=text):
        list(Chain([("wrong", Wrong())]).feed(build.readouts(1)))


def test_a_gadget_that_takes_every_message_sees_every_message(build):
    @dataclass(kw_only=True)
    class Everything(Gadget[Message, Text]):
        def receive(self, message: Message) -> Iterable[Text]:
            yield Text(type(message).__name__)

    chain = Chain([("everything", Everything())])
    stream = (build.waveform(), build.readouts(1), build.image())
    assert [m.text for message in stream for m in chain.feed(message)] == ["Waveform", "Readouts", "Image"]
