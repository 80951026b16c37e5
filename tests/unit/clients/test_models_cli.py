"""``echotrain models``."""

import pytest
from typer.testing import CliRunner

from echotrain.clients.cli import app
from echotrain.engine.errors import ConfigurationError
from echotrain.models.defaults import DEFAULT_PRIOR, DEFAULT_SUPERVISED
from echotrain.models.model_store import shared_store


def run(*arguments):
    result = CliRunner().invoke(app, ["models", *arguments], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_list_shows_every_model_and_what_it_was_trained_for():
    lines = run("list").splitlines()[1:]
    cells = {label: rest.split() for label, _, rest in (line.strip().partition(" ") for line in lines)}
    assert set(cells) == {shared_store().card(name).label for name in shared_store().names()}
    network, prior, other = (shared_store().card(name).label for name in (DEFAULT_SUPERVISED, DEFAULT_PRIOR, "unet-r8"))
    assert cells[network][2:] == ["2", "to", "12", "1", "to", "32", "yes"]
    assert cells[prior][2:] == ["any", "any", "yes"]
    assert cells[other][2:] == ["8", "4", "to", "12"]


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
