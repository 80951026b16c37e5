import importlib.util
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from echotrain.engine.errors import ChainError
from echotrain.engine.registry import Registry

ROOT = Path(__file__).parents[3]


@pytest.fixture
def text():
    return (ROOT / "CONTRIBUTING.md").read_text()


@pytest.fixture
def registry(text, tmp_path, monkeypatch):
    """A registry with the guide's gadget, written to a file outside this repository as the guide says."""
    code = textwrap.dedent(re.search(r"   ```python\n(.*?)   ```", text, re.DOTALL)[1])
    file = tmp_path / "thin_waveforms.py"
    file.write_text(code.replace("from ..engine", "from echotrain.engine"))
    spec = importlib.util.spec_from_file_location("thin_waveforms", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "thin_waveforms", module)
    spec.loader.exec_module(module)
    registry = Registry(None)
    registry.add("thin_waveforms", module.ThinWaveforms)
    return registry


def test_the_guides_gadget_does_what_it_says(registry, build):
    message = build.waveform(channels=2, samples=10)
    (thinned,) = registry.make("thin_waveforms", {"step": 3}).receive(message)
    np.testing.assert_array_equal(thinned.samples, message.samples[:, ::3])
    assert thinned.header["number_of_samples"] == 4
    assert thinned.header["sample_time_us"] == 3 * message.header["sample_time_us"]


def test_the_guides_gadget_is_checked_when_a_chain_is_built(registry):
    with pytest.raises(ChainError, match="step"):
        registry.make("thin_waveforms", {"step": 0})


def test_files_that_the_guide_names_exist(text):
    named = set(
        re.findall(r"(?<![\w/])((?:engine|clients|gadgets|models|deploy|docs)/[\w./-]+\.(?:py|toml|md))\b", text)
    )
    examples = {"gadgets/thin_waveforms.py"}
    assert len(named) > 5
    assert not [name for name in named - examples if "NAME" not in name and not (ROOT / name).exists()]


def test_targets_that_the_guide_names_are_in_the_makefile(text):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make ([a-z]+)`", text))
    assert targets
    assert not [target for target in targets if f"\n{target}:" not in makefile]
