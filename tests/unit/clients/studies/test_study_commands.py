"""Studies from the command line."""

import csv

import pytest
from typer.testing import CliRunner

from echotrain.clients.cli.study import study
from echotrain.engine.errors import ConfigurationError


@pytest.fixture
def run(request, small_models, tmp_path):
    request.getfixturevalue("small_heads")

    def transfer(*options):
        told = ["transfer", "--quick", "--networks", "one,other", "--prior", "tiny", "--sampler", "dds:steps=2"]
        folders = ["--weights", str(small_models), "--output", str(tmp_path / "out"), "--device", "cpu"]
        small = ["--slices", "2", "--matrix", "32", "--iterations", "3"]
        return CliRunner().invoke(study, [*told, *folders, *small, *options])

    return transfer


def test_a_study_writes_rows_figure_and_a_report_with_every_condition_and_goes_on(run, tmp_path):
    result = run()
    assert result.exit_code == 0, result.output
    files = {name: tmp_path / "out" / f"transfer-quick.{name}" for name in ("csv", "png", "md", "toml")}
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert len(rows) == 2 * 6 * (1 + 3 * 3)
    page = files["md"].read_text()
    assert page.count("- **met**: ") + page.count("- **not met**: ") == 4
    assert "(transfer-quick.png)" in page
    assert files["png"].stat().st_size > 10_000

    kept = files["csv"].read_text().splitlines(keepends=True)
    cut = [line for line in kept if not line.startswith("8.0,1,") and not line.startswith("8,1,")]
    assert len(cut) == 1 + len(rows) // 2
    files["csv"].write_text("".join(cut))
    again = run()
    assert f"{len(rows) // 2} rows: going on" in again.output
    assert files["csv"].read_text() == "".join(kept)


def test_several_processes_leave_the_rows_that_one_leaves(run, tmp_path):
    one, file = ("--iterations", "1"), tmp_path / "out" / "transfer-quick.csv"
    assert run(*one).exit_code == 0
    alone = file.read_text()
    result = run(*one, "--again", "--processes", "2")
    assert result.exit_code == 0, result.output
    assert file.read_text() == alone


def test_rows_of_other_settings_are_not_mixed(run):
    one = ("--slices", "1", "--iterations", "1")
    run(*one)
    result = run(*one, "--seed", "1")
    assert isinstance(result.exception, ConfigurationError)
    assert "seed was 0, is 1" in str(result.exception)
    assert run(*one, "--seed", "1", "--again").exit_code == 0


def test_models_that_are_not_there_are_named(run):
    result = run("--networks", "nobody,other")
    assert isinstance(result.exception, ConfigurationError)
    assert "no model is named 'nobody'" in str(result.exception)
