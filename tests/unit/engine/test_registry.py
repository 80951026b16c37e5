import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Annotated, Literal

import pytest
from pydantic import Field

from echotrain.engine import registry as registry_module
from echotrain.engine.errors import ChainError
from echotrain.engine.gadget import Gadget, gadget
from echotrain.engine.messages import Image, Text
from echotrain.engine.registry import Registry, field_docs, unknown


@dataclass(kw_only=True)
class Blur(Gadget[Image, Image]):
    """Blur images."""

    width: Annotated[int, Field(ge=1, le=9)] = 3
    """Pixels of the box."""
    edge: Literal["wrap", "zero"] = "zero"
    names: tuple[str, ...] = ()
    """Names,
    in two lines."""
    strength: float

    _state: dict = field(init=False, default_factory=dict)

    def receive(self, message: Image) -> Iterable[Image]:
        return (message,)


@pytest.fixture
def registry():
    made = Registry(package=None)
    made.add("blur", Blur)
    return made


def test_fields_are_checked_and_lists_of_toml_become_tuples(registry):
    made = registry.make("blur", {"strength": 1, "names": ["a", "b"]})
    assert (made.width, made.names, made.strength) == (3, ("a", "b"), 1.0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "gadget 'blur': field 'strength' is required"),
        ({"strength": 1, "widht": 3}, "no field is named 'widht'; did you mean 'width'\\? Known: width, edge"),
        ({"strength": 1, "width": 12}, "field 'width': .* less than or equal to 9, got 12"),
        ({"strength": 1, "edge": "mirror"}, "field 'edge': .*'wrap' or 'zero', got 'mirror'"),
        ({"strength": "much"}, "field 'strength': .*got 'much'"),
        ({"strength": 1, "_state": {}}, "no field is named '_state'"),
    ],
)
def test_a_field_that_does_not_fit_is_refused_by_gadget_field_got_and_expected(registry, options, text):
    with pytest.raises(ChainError, match=text):
        registry.make("blur", options)


def test_all_wrong_fields_are_told_at_once(registry):
    with pytest.raises(ChainError, match=r"'width'.*; .*'edge'"):
        registry.make("blur", {"strength": 1, "width": 0, "edge": 1})


def test_a_field_named_like_a_pydantic_method_is_no_conflict():
    @dataclass(kw_only=True)
    class Model(Blur):
        model_name: str = "x"

    made = Registry(package=None)
    made.add("model", Model)
    assert made.make("model", {"strength": 1, "model_name": "y"}).model_name == "y"


def test_an_unknown_gadget_is_refused_with_what_it_may_have_meant(registry):
    with pytest.raises(ChainError, match="no gadget is named 'blurr'; did you mean 'blur'\\? Known: blur"):
        registry.get("blurr")
    assert unknown("gadget", "zzz", ("blur",)) == "no gadget is named 'zzz'. Known: blur"
    assert len(unknown("gadget", "z" * 10_000, ())) < 200


@pytest.mark.parametrize("name", ["os", "../evil", "echotrain.engine.session", "", "nul\0", "_sampling"])
def test_no_name_imports_anything_but_a_gadget(name):
    registry = Registry()
    assert registry.names
    before = set(sys.modules)
    with pytest.raises(ChainError, match="no gadget is named"):
        registry.get(name)
    assert set(sys.modules) - before == set()


def test_a_name_is_taken_once(registry):
    with pytest.raises(ChainError, match="'blur' is already known"):
        registry.add("blur", Blur)


def test_docstrings_under_fields_are_their_documentation(registry):
    assert field_docs(Blur) == {"width": "Pixels of the box.", "names": "Names,\nin two lines."}
    schema = registry.schema("blur")
    assert schema["properties"]["width"]["description"] == "Pixels of the box."
    assert schema["additionalProperties"] is False
    assert schema["description"] == "Blur images."


def test_the_resolved_configuration_holds_the_defaults(registry):
    resolved = registry.resolve("blur", {"strength": 2})
    assert resolved == {"width": 3, "edge": "zero", "names": [], "strength": 2.0}


def test_every_gadget_of_ours_is_found_documented_and_has_documented_fields():
    ours = Registry()
    assert {"accumulate", "noise_adjust", "make_images"} <= set(ours.names)
    assert not [name for name in ours.names if name.startswith("_")]
    for name in ours.names:
        cls = ours.get(name)
        assert cls.__doc__
        docs = field_docs(cls)
        assert all(docs.get(f) for f in ours.configuration(name).model_fields), name


def install(monkeypatch, *points):
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [p for p in points if p.group == group])


def point(name, value):
    return EntryPoint(name, value, "echotrain.gadgets")


def test_entry_points_bring_gadgets_of_third_parties(monkeypatch):
    install(monkeypatch, point("theirs", f"{__name__}:Blur"))
    sys.modules.setdefault(__name__, sys.modules[Blur.__module__])
    made = Registry(package=None)
    assert made.names == ("theirs",)
    assert made.get("theirs").__name__ == "Blur"
    assert made.origin("theirs") == "an unknown distribution"


def test_a_name_that_two_distributions_claim_is_refused_rather_than_chosen(monkeypatch):
    install(monkeypatch, point("x", "one:X"), point("x", "two:X"), point("accumulate", "evil:Accumulate"))
    with pytest.raises(ChainError, match=r"several gadgets are named 'x': one:X .* two:X"):
        Registry(package=None).get("x")
    with pytest.raises(ChainError, match="several gadgets are named 'accumulate': echotrain's own, evil:Accumulate"):
        Registry().get("accumulate")


def test_an_entry_point_that_cannot_be_imported_or_is_no_gadget_is_refused(monkeypatch):
    install(
        monkeypatch, point("gone", "no_such_module:X"), point("lacks", "json:Nothing"), point("other", "json:dumps")
    )
    made = Registry(package=None)
    with pytest.raises(ChainError, match="'gone' cannot be imported: ModuleNotFoundError"):
        made.get("gone")
    with pytest.raises(ChainError, match="'lacks' cannot be imported: AttributeError"):
        made.get("lacks")
    with pytest.raises(ChainError, match=r"'other' is <function dumps .* expected a subclass of Gadget"):
        made.get("other")


def test_functions_made_gadgets_have_checked_fields_too():
    @gadget
    def repeat(message: Text, *, times: Annotated[int, Field(ge=1)] = 2) -> Text:
        """Repeat."""
        return Text(message.text * times)

    made = Registry(package=None)
    made.add("repeat", repeat)
    with pytest.raises(ChainError, match="field 'times'"):
        made.make("repeat", {"times": 0})
    assert made.make("repeat", {}).times == 2


def test_a_constructor_that_refuses_its_fields_is_a_chain_error():
    @dataclass(kw_only=True)
    class Picky(Blur):
        def __post_init__(self) -> None:
            raise ValueError("width and strength do not go together")

    made = Registry(package=None)
    made.add("picky", Picky)
    with pytest.raises(ChainError, match="gadget 'picky': width and strength do not go together"):
        made.make("picky", {"strength": 1})
