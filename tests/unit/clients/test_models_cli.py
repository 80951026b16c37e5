"""``echotrain models``."""

import pytest
from typer.testing import CliRunner

from echotrain.clients.cli import app
from echotrain.engine.errors import ConfigurationError
from echotrain.models.model_store import shared_store


def run(*arguments):
    result = CliRunner().invoke(app, ["models", *arguments], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_list_shows_every_model_and_what_it_was_trained_for():
    shown = run("list")
    for name in shared_store().names():
        assert shared_store().card(name).label in shown
    assert "R 2 to 12, 1 to 32 coils" in shown


def test_show_gives_the_card():
    shown = run("show", "modl")
    assert shared_store().card("modl").sha256 in shown
    assert "Not for clinical use" in shown


def test_verify_compares_with_onnx_runtime():
    assert "checksum right; 1 blocks agree within 0.0001" in run("verify", "unet-r8")


def test_export_writes_one_file_a_block(tmp_path):
    run("export", "unet-r8", "--output", str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["unet.onnx"]


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_model_is_refused_with_the_known_ones(command):
    with pytest.raises(ConfigurationError, match=r"no model is named 'mold'; did you mean 'modl'.*Known: .*unet-r8"):
        run(command, "mold")
