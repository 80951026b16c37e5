import pytest
import yaml

from echotrain.engine.settings import Settings, host_port


@pytest.fixture
def engine(deploy):
    return yaml.safe_load((deploy / "compose.yaml").read_text())["services"]["engine"]


@pytest.fixture
def settings(engine, deploy, load, monkeypatch, state):
    """What the engine reads in that container: the image's settings, then the environment."""
    for name, value in engine["environment"].items():
        monkeypatch.setenv(name, value.replace("/var/lib/echotrain", str(state)))
    return load((deploy / "container.toml").read_text())


def test_it_builds_the_container_file_from_the_repositorys_root(engine, deploy):
    build = engine["build"]
    root = (deploy / build["context"]).resolve()
    assert (root / build["dockerfile"]).resolve() == (deploy / "Containerfile").resolve()
    text = (deploy / "Containerfile").read_text()
    for name, value in build["args"].items():
        default = value.removeprefix(f"${{{name}:-").removesuffix("}")
        assert f"ARG {name}={default}\n" in text


def test_every_variable_is_a_setting(engine):
    names = {name.removeprefix("ECHOTRAIN_").lower() for name in engine["environment"]}
    assert names <= set(Settings.model_fields)


def test_what_it_publishes_is_what_the_engine_listens_on_and_is_reachable_from_this_machine_alone(engine, settings):
    published = [port.split(":") for port in engine["ports"]]
    assert {host for host, _, _ in published} == {"127.0.0.1"}
    assert all(outside == inside for _, outside, inside in published)
    listening = {host_port(endpoint)[1] for endpoint in (settings.zmq, settings.mrd, settings.http)}
    assert {int(inside) for _, _, inside in published} == listening


def test_recordings_go_to_a_volume(engine, settings, state):
    assert any(volume.endswith(":/var/lib/echotrain") for volume in engine["volumes"])
    assert settings.record.is_relative_to(state)


def test_it_is_given_longer_to_stop_than_the_engine_drains(engine, grace):
    assert engine["stop_grace_period"].endswith("s")
    assert float(engine["stop_grace_period"][:-1]) >= grace


def test_the_engine_runs_into_its_own_memory_limit_before_the_containers(engine, settings):
    assert engine["mem_limit"].endswith("g")
    assert settings.memory_mib < int(engine["mem_limit"][:-1]) * 1024


def test_files_may_be_open_for_every_session_that_the_settings_allow(engine, settings):
    assert engine["ulimits"]["nofile"] >= 2 * settings.limits.sessions + 1024
