import json
import tomllib

import pytest

from echotrain.engine.chain_config import SHIPPED, ChainLibrary, json_schema, load_chain, parse_chain
from echotrain.engine.errors import ChainError
from echotrain.engine.messages import ConfigName, ConfigText, Parameters
from echotrain.engine.registry import Registry
from echotrain.models.defaults import ALIASES

NULL = '[[chain]]\ngadget = "discard"\n'


def test_a_chain_is_a_list_of_gadgets_with_their_fields():
    spec = parse_chain('title = "T"\n[[chain]]\ngadget = "a"\nx = 1\n[[chain]]\ngadget = "a"\n', name="n")
    assert (spec.name, spec.title) == ("n", "T")
    assert [(gadget, dict(fields)) for gadget, fields in spec.steps] == [("a", {"x": 1}), ("a", {})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<gadgetronStreamConfiguration/>", "is XML .a Gadgetron configuration.*echotrain takes a chain in TOML"),
        ('\ufeff \n<?xml version="1.0"?>', "is XML"),
        ("x = ", "is not TOML"),
        ("x = " + "9" * 10_000, "is not TOML"),
        ("x = " + "[" * 100_000, "is not TOML"),
        ("", "has no \\[\\[chain\\]\\] table"),
        ("chain = 3", "has no \\[\\[chain\\]\\] table"),
        ("chain = [1]", "has no \\[\\[chain\\]\\] table"),
        ('chian = 1\n[[chain]]\ngadget = "a"', "no top-level entry is named 'chian'; did you mean 'chain'"),
        ("[[chain]]\nx = 1", 'step 1: gadget is None, expected gadget = "NAME"'),
        ('[[chain]]\ngadget = "a"\n[[chain]]\ngadget = ["a"]', "step 2: gadget is \\['a'\\]"),
        ('title = 1\n[[chain]]\ngadget = "a"', "title and description must be texts"),
    ],
)
def test_a_text_that_is_no_chain_is_refused_with_what_is_expected(text, message):
    with pytest.raises(ChainError, match=message):
        parse_chain(text)


def test_an_error_names_chain_step_gadget_and_field():
    text = '[[chain]]\ngadget = "check_readouts"\n[[chain]]\ngadget = "accumulate"\nduplicates = "first"\n'
    with pytest.raises(
        ChainError, match=r"chain 'mine', step 2: gadget 'accumulate': field 'duplicates': .*got 'first'"
    ):
        parse_chain(text, name="mine").build(Registry())
    with pytest.raises(ChainError, match="chain 'mine', step 1: no gadget is named 'acumulate'; did you mean 'accum"):
        parse_chain('[[chain]]\ngadget = "acumulate"', name="mine").build(Registry())
    with pytest.raises(ChainError, match="chain 'mine': KSpace would reach the end"):
        parse_chain('[[chain]]\ngadget = "accumulate"', name="mine").build(Registry())


def test_equal_hashes_mean_equal_configurations_defaults_included():
    def digest(text):
        return parse_chain(text).build(Registry())[1]

    plain = digest(NULL)
    assert len(plain) == 64
    assert digest(f"# a comment\n{NULL}") == plain
    assert digest(NULL + 'kinds = ["readouts", "waveforms"]') == plain
    assert digest(NULL + 'kinds = ["readouts", "waveforms", "images"]') != plain


def test_the_version_of_a_third_partys_distribution_is_in_the_hash(monkeypatch):
    spec = parse_chain(NULL)
    plain = spec.build(Registry())[1]
    monkeypatch.setattr(Registry, "origin", lambda *_: "theirs 2.0")
    assert spec.build(Registry())[1] != plain


def test_overrides_set_fields_of_every_gadget_of_that_name():
    spec = parse_chain('[[chain]]\ngadget = "a"\n[[chain]]\ngadget = "b"\n[[chain]]\ngadget = "a"\nx = 1')
    changed = spec.with_overrides({"a.x": 5})
    assert [dict(fields) for _, fields in changed.steps] == [{"x": 5}, {}, {"x": 5}]
    assert [dict(fields) for _, fields in spec.steps] == [{}, {}, {"x": 1}], "the chain itself stays"
    with pytest.raises(
        ChainError, match=r"parameter 'c.x': expected GADGET.FIELD; no gadget is named 'c'.* Known: a, b"
    ):
        spec.with_overrides({"c.x": 1})
    with pytest.raises(ChainError, match=r"expected GADGET.FIELD"):
        spec.with_overrides({"a": 1})


@pytest.fixture
def library(tmp_path):
    (tmp_path / "mine.toml").write_text('title = "Mine"\n' + NULL)
    (tmp_path / "default.toml").write_text('title = "My default"\n' + NULL)
    (tmp_path / "broken.toml").write_bytes(b"\xff\xfe")
    (tmp_path / ".hidden.toml").write_text(NULL)
    return ChainLibrary(tmp_path, tmp_path / "missing")


def test_folders_of_the_operator_come_before_the_shipped_chains(library):
    assert {"mine", "default", "openrecon", "null", "record", "broken"} <= set(library.names)
    assert ".hidden" not in library.names
    assert library.get("default").title == "My default"
    assert library.get("null").name == "null"


@pytest.mark.parametrize(
    "name",
    ["../mine", "/etc/passwd", "mine.toml", "mine\0", "mine\n", "", ".", "..", "a" * 1023, "sub/mine", ".hidden"],
)
def test_no_name_reaches_a_file_outside_the_folders(library, name):
    with pytest.raises(ChainError, match="no chain is named") as caught:
        library.get(name)
    assert len(str(caught.value)) < 500


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(library, tmp_path):
    with pytest.raises(ChainError, match=r"broken.toml cannot be read"):
        library.get("broken")
    with pytest.raises(ChainError, match=r"nowhere.toml cannot be read"):
        load_chain(tmp_path / "nowhere.toml")


def test_a_client_names_a_chain_or_brings_one_and_parameters_win(library):
    assert library.choose(ConfigName("mine")).name == "mine"
    assert library.choose(ConfigText(NULL)).name == "text"
    assert library.choose(ConfigName("mine"), Parameters("null")).name == "null"
    changed = library.choose(ConfigName("mine"), Parameters(None, {"discard.kinds": ["readouts"]}))
    assert dict(changed.steps[0][1]) == {"kinds": ["readouts"]}


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.toml")), ids=lambda file: file.stem)
def test_every_shipped_chain_builds_and_says_what_it_is(file):
    spec = load_chain(file)
    assert spec.title
    chain, digest = spec.build(Registry())
    assert chain.names
    assert digest


@pytest.mark.parametrize("name", ["diffusion", "diffusion-ensemble", "trusted"])
def test_a_chain_that_is_calibrated_for_a_network_names_it(name):
    """Another default would make its intervals and flags those of another network's images (decision 0025)."""
    steps = dict(load_chain(SHIPPED / f"{name}.toml").steps)
    named = {steps["reconstruct_diffusion"]["start_from"]}
    for gadget, field in (
        ("estimate_sensitivity", "model"),
        ("reconstruct_supervised", "model"),
        ("flag_artifacts", "judged"),
    ):
        named |= {steps[gadget][field]} if gadget in steps else set()
    assert len(named) == 1
    assert not named & set(ALIASES)


def test_openrecon_is_the_default_chain_but_for_its_pixels():
    default, openrecon = (load_chain(SHIPPED / f"{name}.toml") for name in ("default", "openrecon"))
    changed = default.with_overrides({"scale_images.dtype": "int16"})
    assert [(g, dict(f)) for g, f in changed.steps] == [(g, dict(f)) for g, f in openrecon.steps]


def test_the_schema_describes_every_gadget_and_is_json():
    schema = json.loads(json.dumps(json_schema(Registry())))
    names = {entry["$ref"].rsplit("/", 1)[1] for entry in schema["properties"]["chain"]["items"]["oneOf"]}
    assert names == set(Registry().names)
    accumulate = schema["$defs"]["accumulate"]
    assert accumulate["properties"]["gadget"] == {"const": "accumulate"}
    assert "gadget" in accumulate["required"]
    assert accumulate["additionalProperties"] is False
    for file in SHIPPED.glob("*.toml"):
        steps = tomllib.loads(file.read_text())["chain"]
        for step in steps:
            assert set(step) <= set(schema["$defs"][step["gadget"]]["properties"])
