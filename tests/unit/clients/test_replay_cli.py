import json
import socket

import pytest
import typer
from typer.testing import CliRunner

from echotrain.clients.cli.replay import replay
from echotrain.clients.scan_file import write_scan
from echotrain.engine.messages import Header


@pytest.fixture
def run(tmp_path, build):
    app = typer.Typer()
    app.command()(replay)
    file = tmp_path / "scan.h5"
    write_scan(file, Header(build.header), [build.readouts(4)])
    return lambda *arguments: CliRunner().invoke(app, [str(file), *map(str, arguments)])


@pytest.fixture
def nobody():
    """Return an address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


def test_failed_sessions_end_in_a_table_a_json_report_and_exit_code_1(run, nobody, tmp_path):
    result = run("--to", nobody, "--protocol", "mrd", "--sessions", 2, "--loop", 2, "--report", tmp_path / "r.json")
    assert result.exit_code == 1, result.output
    assert "0 ok, 4 failed, of 4" in result.stdout
    assert "connection_lost" in result.stdout
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["sessions_failed"] == 4
    assert report["speed"] == "max"
    assert report["errors"][0]["code"] == "connection_lost"


def test_nothing_but_the_report_is_shown_where_there_is_no_terminal(run, nobody):
    result = run("--to", nobody, "--protocol", "mrd", "--sessions", 1)
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--speed", "fast"), "expected max or a number"),
        (("--protocol", "http"), "expected zmq or mrd"),
        (("--chain", "gone.toml"), "cannot be read"),
        (("--perturb", "spiky:size=1"), "known: clipping"),
        (("--perturb", "spikes:width=1"), "spikes has the fields seed, readouts, share, size, unit"),
        (("--report", "no/such/folder/r.json"), "is no folder"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_sent(run, nobody, arguments, text):
    result = run("--to", nobody, *arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.replace("│", " ").split())
