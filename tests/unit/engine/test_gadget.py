from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import pytest
from pydantic import Field

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.gadget import Gadget, config_fields, gadget, signature
from echotrain.engine.messages import Image, Readouts, Text

if TYPE_CHECKING:
    from echotrain.engine.messages import Waveform


@dataclass(kw_only=True)
class Both(Gadget[Readouts | Image, Text]):
    """Takes two kinds."""

    size: int = 3
    _state: int = field(init=False, default=0)

    def receive(self, message: Readouts | Image) -> Iterable[Text | Image]:
        return ()


def test_what_a_gadget_takes_and_makes_is_read_from_the_annotations_of_receive():
    types = signature(Both)
    assert types.accepts == (Readouts, Image)
    assert types.makes == (Text, Image)
    assert Both().types() == types


def test_only_fields_of_the_constructor_are_configuration():
    assert list(config_fields(Both)) == ["size"]


def test_a_receive_without_annotations_is_refused_with_an_example():
    class Bare(Gadget):
        def receive(self, message):
            return ()

    with pytest.raises(ConfigurationError, match="gadget Bare: receive\\(\\) needs annotations"):
        signature(Bare)


def test_a_receive_that_returns_no_iterable_of_messages_is_refused():
    class One(Gadget):
        def receive(self, message: Image) -> Image:
            return message

    class Number(Gadget):
        def receive(self, message: Image) -> Iterable[int]:
            return ()

    with pytest.raises(ConfigurationError, match="expected Iterable"):
        signature(One)
    with pytest.raises(ConfigurationError, match="names <class 'int'>, which is no message type"):
        signature(Number)


def test_an_annotation_that_exists_only_for_the_type_checker_is_refused_with_the_remedy():
    class Hidden(Gadget):
        def receive(self, message: "Waveform") -> Iterable[Text]:
            return ()

    with pytest.raises(ConfigurationError, match="outside `if TYPE_CHECKING`"):
        signature(Hidden)


def test_a_gadget_without_receive_says_so():
    with pytest.raises(TypeError, match="Gadget defines no receive"):
        Gadget().receive(Text("x"))


def test_a_function_becomes_a_gadget_with_its_options_as_fields():
    @gadget
    def repeat(message: Text, *, times: Annotated[int, Field(ge=1)] = 2, word: str) -> Text:
        """Repeat."""
        return Text(message.text + word * times)

    assert issubclass(repeat, Gadget)
    assert list(config_fields(repeat)) == ["times", "word"]
    assert list(repeat(word="!").receive(Text("a"))) == [Text("a!!")]
    assert signature(repeat).accepts == (Text,)
    assert repeat.__doc__ == "Repeat."
    assert not repeat.heavy


def test_a_function_may_swallow_a_message_and_be_heavy():
    @gadget(heavy=True)
    def swallow(message: Text) -> Image | None:
        assert message == Text("a")

    assert list(swallow().receive(Text("a"))) == []
    assert signature(swallow).makes == (Image,)
    assert swallow.heavy


def test_functions_that_cannot_be_gadgets_are_refused():
    with pytest.raises(ConfigurationError, match="must be keyword-only"):

        @gadget
        def positional(message: Text, times: int) -> Text:
            return Text(message.text * times)

    with pytest.raises(ConfigurationError, match="gadget bare needs annotations"):

        @gadget
        def bare(message):
            return message

    with pytest.raises(ConfigurationError, match="gadget nothing needs annotations"):

        @gadget
        def nothing() -> Text:
            return Text("")
