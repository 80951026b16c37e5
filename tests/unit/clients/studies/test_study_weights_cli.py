import pytest
import typer
from typer.testing import CliRunner

from echotrain.clients.cli.study_weights import weights
from echotrain.engine.errors import ConfigurationError


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("ECHOTRAIN_DATA", str(tmp_path))
    app = typer.Typer()
    app.command()(weights)
    return lambda *arguments: CliRunner().invoke(app, ["--label", "first", "-o", str(tmp_path), *arguments])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-m", "tv", "--part", "losses"), "shared scans are missing"),
        (("-m", "tv", "--part", "acquisition"), "shared scans are missing"),
        (("-m", "mystery"), "'mystery'"),
    ],
)
def test_what_cannot_be_studied_is_refused_and_nothing_is_written(run, tmp_path, arguments, says):
    result = run(*arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert says in str(result.exception)
    assert list(tmp_path.iterdir()) == []
