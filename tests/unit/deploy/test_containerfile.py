import json
import re

import pytest

from echotrain.engine.settings import host_port


@pytest.fixture
def instructions(deploy):
    """(instruction, value) of every line of the container file, with continued lines joined."""
    text = (deploy / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line]


def values(instructions, name):
    return [value for instruction, value in instructions if instruction == name]


def copied(instructions):
    """Paths in the repository that are copied into the image."""
    return [
        source
        for value in values(instructions, "COPY")
        if not value.startswith("--from")
        for source in value.split()[:-1]
    ]


def test_everything_that_is_copied_is_in_the_repository(instructions, deploy):
    missing = [source for source in copied(instructions) if not (deploy.parent / source).exists()]
    assert not missing


def test_every_folder_that_the_package_links_to_is_copied_to_where_the_link_points(instructions, deploy):
    package = deploy.parent / "src" / "echotrain"
    links = {path.readlink() for path in package.iterdir() if path.is_symlink()}
    targets = {str((package / link).resolve().relative_to(deploy.parent.resolve())) for link in links}
    same_place = {
        source
        for value in values(instructions, "COPY")
        if not value.startswith("--from")
        for source, target in [value.split()[-2:]]
        if source == target
    }
    assert len(targets) >= 5
    assert targets <= same_place


def test_the_image_serves_by_a_command_that_serve_understands(instructions, parse_serve):
    entry = json.loads(values(instructions, "ENTRYPOINT")[-1])
    assert entry == ["tini", "--", "echotrain"]
    command, *arguments = json.loads(values(instructions, "CMD")[-1])
    assert command == "serve"
    flags = parse_serve(arguments)
    assert f"deploy/container.toml {flags['config']}" in values(instructions, "COPY")


def test_the_image_does_not_run_as_root(instructions):
    user = values(instructions, "USER")[-1]
    assert all(int(part) >= 1000 for part in user.split(":"))


def test_the_ports_of_the_image_are_those_of_its_settings(instructions, default_ports, deploy, load):
    exposed = {int(port) for port in values(instructions, "EXPOSE")[0].split()}
    settings = load((deploy / "container.toml").read_text())
    assert exposed == {*default_ports, host_port(settings.http)[1]}
    assert host_port(settings.mrd)[1] in default_ports


def test_the_health_check_succeeds_with_a_healthy_engine_and_fails_without_one(instructions, http_server):
    check = values(instructions, "HEALTHCHECK")[0]
    program, option, code = json.loads(check.partition("CMD ")[2])
    assert (program, option) == ("python", "-c")
    assert "http://127.0.0.1:9003/healthz" in code
    there = code.replace(":9003", f":{http_server.address[1]}")
    exec(there, {})
    with pytest.raises(OSError, match="404"):
        exec(there.replace("/healthz", "/nothing"), {})
