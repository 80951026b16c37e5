import pytest

from echotrain.engine.settings import Settings, host_port


@pytest.fixture
def unit(deploy):
    """Values of the unit's [Service] section by name, each a list in order."""
    values = {}
    section = None
    for line in (deploy / "echotrain.service").read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values.setdefault(name, []).append(value)
    return values


def test_what_the_unit_starts_is_a_command_that_serve_understands(unit, parse_serve):
    program, command, *arguments = unit["ExecStart"][0].split()
    assert program.endswith("/echotrain")
    assert command == "serve"
    flags = parse_serve(arguments)
    assert set(flags) == {"config", "record", "http"}


def test_the_unit_checks_first_what_it_starts_then(unit, parse_serve):
    before, after = (parse_serve(unit[name][0].split()[2:]) for name in ("ExecStartPre", "ExecStart"))
    assert before == {**after, "check": True}


def test_recordings_go_where_the_unit_may_write(unit, parse_serve):
    assert unit["ProtectSystem"] == ["strict"]
    record = parse_serve(unit["ExecStart"][0].split()[2:])["record"]
    assert str(record).startswith(f"/var/lib/{unit['StateDirectory'][0]}/")


def test_systemd_waits_longer_than_the_engine_drains(unit, grace):
    assert float(unit["TimeoutStopSec"][0]) >= grace


def test_files_may_be_open_for_every_session_that_the_settings_allow(unit):
    assert int(unit["LimitNOFILE"][0]) >= 2 * Settings().limits.sessions + 1024


def test_the_engine_runs_into_its_own_memory_limit_before_systemds(unit, monkeypatch):
    limit = unit["MemoryMax"][0]
    assert limit.endswith("G")
    for assignment in unit["Environment"]:
        monkeypatch.setenv(*assignment.split("="))
    assert 0 < Settings().memory_mib < int(limit[:-1]) * 1024


def test_a_unit_that_admits_loopback_alone_listens_there_alone(unit, parse_serve):
    assert unit["IPAddressAllow"] == ["localhost"]
    http = parse_serve(unit["ExecStart"][0].split()[2:])["http"]
    settings = Settings()
    assert {host_port(endpoint)[0] for endpoint in (settings.zmq, settings.mrd, http)} == {"127.0.0.1"}


def test_the_calls_that_set_limits_are_allowed_because_the_engine_sets_one(unit):
    assert unit["SystemCallFilter"][0] == "@system-service"
    assert not any("@resources" in value for value in unit["SystemCallFilter"])


@pytest.mark.parametrize(
    "name", ["NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictSUIDSGID", "ProtectKernelModules"]
)
def test_the_unit_is_hardened(unit, name):
    assert unit[name] == ["yes"]
