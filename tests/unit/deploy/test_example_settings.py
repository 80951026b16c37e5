import re
import tomllib

import pytest

from echotrain.engine.settings import LimitSettings, Settings

SETTING = re.compile(r"^(?:# )?([a-z_]+) = .+$")


@pytest.fixture
def text(deploy):
    return (deploy / "echotrain.toml").read_text()


def documented(text):
    """Names of the settings of the top level and of [limits], commented out or not, in the order of the file."""
    top, _, limits = text.partition("\n[limits]\n")
    return [[m[1] for line in part.splitlines() if (m := SETTING.match(line))] for part in (top, limits)]


def test_every_setting_stands_in_the_example_and_nothing_else_does(text):
    top, limits = documented(text)
    assert sorted(top) == sorted(set(Settings.model_fields) - {"limits"})
    assert limits == list(LimitSettings.model_fields)


def test_every_setting_in_the_example_is_explained_by_a_comment_above_it(text):
    lines = text.splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if SETTING.match(line) and not (before.startswith("# ") and not SETTING.match(before))
    ]
    assert not bare


def test_the_example_loads_and_states_the_defaults(text, load):
    assert load(text).model_dump() == Settings().model_dump()


def test_every_setting_with_a_default_is_active_in_the_example(text):
    data = tomllib.loads(text)
    expected = {n for n, f in Settings.model_fields.items() if f.default is not None}
    assert set(data) == expected
    assert set(data["limits"]) == set(LimitSettings.model_fields)


def test_what_the_example_leaves_out_loads_once_it_is_put_in(text, load, tmp_path):
    for folder in ("curve", "chains"):
        (tmp_path / folder).mkdir()
    complete = re.sub(r"^# ([a-z_]+ = .+)$", r"\1", text, flags=re.MULTILINE).replace("/etc/echotrain", str(tmp_path))
    settings = load(complete)
    assert not [name for name in Settings.model_fields if getattr(settings, name) is None]


def test_settings_in_the_image_load_and_listen_on_every_address_but_not_over_zeromq_without_keys(deploy, load):
    settings = load((deploy / "container.toml").read_text())
    assert settings.zmq is None
    assert settings.mrd == "tcp://0.0.0.0:9002"
    assert settings.http == "0.0.0.0:9003"
    assert not settings.insecure
