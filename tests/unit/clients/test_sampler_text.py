import pytest

from echotrain.clients.sampler_text import parse_sampler
from echotrain.engine.errors import ConfigurationError
from echotrain.models.samplers.dds import Dds


@pytest.mark.parametrize(
    ("text", "settings", "start"),
    [
        ("dds", {}, None),
        ("dds:eta=0.5,hot=true", {"eta": 0.5, "hot": True}, None),
        ("dds:start_from=modl", {}, "modl"),
        ('dds:start_from="modl@1",hot=true', {"hot": True}, "modl@1"),
        ("dds:hot=true, start_from = l1-wavelet, eta=0.5", {"eta": 0.5, "hot": True}, "l1-wavelet"),
    ],
)
def test_a_sampler_is_a_name_settings_and_what_it_starts_from(text, settings, start):
    assert parse_sampler(text) == ("dds", Dds(**settings), start)


@pytest.mark.parametrize("text", ["ddss", "dds:eta", "dds:eta=1.0;hot=true", "dds:etta=1.0", "dds:start_from="])
def test_what_is_none_is_refused_with_what_was_written(text):
    with pytest.raises(ConfigurationError, match="the sampler '" + text):
        parse_sampler(text)
