"""Studies from the command line."""

import csv
import os

import pytest
import torch
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


def table(file):
    """Rows by everything in them that is no measurement."""
    rows = list(csv.reader(file.read_text().splitlines()))
    return {(number, *row[:6]): [float(value or "nan") for value in row[6:]] for number, row in enumerate(rows[1:])}


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


@pytest.fixture
def threads_of_two_processes():
    """As many threads as each of two processes has: attacks make differences of rounding visible."""
    before = torch.get_num_threads()
    torch.set_num_threads(max((os.cpu_count() or 1) // 2, 1))
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_of_two_processes")
def test_several_processes_leave_the_rows_that_one_leaves(run, tmp_path):
    one, file = ("--iterations", "1"), tmp_path / "out" / "transfer-quick.csv"
    assert run(*one).exit_code == 0
    alone = table(file)
    result = run(*one, "--again", "--processes", "2")
    assert result.exit_code == 0, result.output
    both = table(file)
    assert both.keys() == alone.keys()
    for key, values in alone.items():
        assert both[key] == pytest.approx(values, rel=1e-3, abs=1e-4)


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
