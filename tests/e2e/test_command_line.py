"""The command line as a user meets it: help, listings, errors."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from echotrain.engine.image_file import read_images

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "chains"


def test_help_imports_no_numerics(command):
    assert "serve" in command("--help").stdout
    heavy = "'numpy', 'torch', 'zmq', 'pydantic', 'rich.console'"
    program = f"import sys, echotrain.clients.cli; print([m for m in ({heavy}) if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_serving_and_reconstructing_import_no_torch(data):
    program = (
        "import sys, asyncio\n"
        "from echotrain.engine.server import Server\n"
        "from echotrain.clients import Client\n"
        "with Client.embedded() as client: images = client.reconstruct(sys.argv[1])\n"
        "print(len(images), 'torch' in sys.modules)\n"
    )
    path = str(data / "raw" / "phantom_16ch.h5")
    result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert result.stdout.split()[-2:] == ["1", "False"]


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_every_shipped_chain_shows_and_checks(command, name):
    shown = command("chains", "show", name).stdout
    assert tomllib.loads(shown)["chain"]
    assert "good" in command("chains", "check", SHIPPED / f"{name}.toml").stdout


def test_the_schema_is_json_and_knows_every_gadget(command):
    schema = json.loads(command("chains", "schema").stdout)
    listed = command("gadgets", "list", env={"COLUMNS": "250"}).stdout
    for name in schema["$defs"]:
        if "gadget" in schema["$defs"][name].get("properties", {}):
            assert name in listed


def test_serve_check_validates_settings_and_chains(command, tmp_path):
    good = command("serve", "--check", "--record", tmp_path)
    assert "chain default: check_readouts" in good.stdout
    (tmp_path / "broken.toml").write_text('[[chain]]\ngadget = "acumulate"\n')
    (tmp_path / "worse.toml").write_text('[[chain]]\ngadget = "reconstruct_fourier"\n')
    bad = command("serve", "--check", "--chains", tmp_path, check=False)
    assert bad.returncode == 1
    assert "no gadget is named 'acumulate'; did you mean 'accumulate'?" in bad.stderr
    assert "accepts KSpace" in bad.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("recon", "nowhere.h5"), "there is no file nowhere.h5"),
        (("serve", "--mrd", "localhost"), "mrd: Value error, expected tcp://HOST:PORT"),
        (("serve", "--zmq", "tcp://0.0.0.0:9001"), "beyond loopback without CURVE"),
        (("serve", "--config", "none.toml"), "none.toml does not exist"),
        (("status", "tcp://127.0.0.1:9"), "127.0.0.1:9"),
        (("chains", "show", "../../etc/passwd"), "no chain is named"),
        (("gadgets", "show", "acumulate"), "did you mean 'accumulate'"),
        (("recordings", "list", "--record", "none"), "there is no folder none"),
        (("simulate",), "nothing to do"),
        (("simulate", "-o", "x.h5", "--set", "slices=0"), "slices"),
        (("keys", "list", "none"), "none"),
    ],
)
def test_errors_are_one_message_and_no_traceback(command, tmp_path, arguments, words):
    result = command(*arguments, check=False, cwd=tmp_path)
    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_simulated_stream_goes_through_a_pipe(command, tmp_path):
    arguments = [
        "simulate",
        "-o",
        "-",
        "--truth",
        "truth.h5",
        "--slices",
        "2",
        "--coils",
        "2",
        "--set",
        "matrix=[64,64]",
    ]
    scan = subprocess.run(
        [command.program, *arguments],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    stream = command("recon", "-", "-o", "-", input=scan.stdout, text=False, cwd=tmp_path).stdout
    (tmp_path / "stream.mrd").write_bytes(scan.stdout)
    command("recon", "stream.mrd", "-o", "images.h5", cwd=tmp_path)
    images = read_images(tmp_path / "images.h5")
    assert len(images) == 2
    assert images[0].pixels.tobytes() in stream
    again = command("recon", "stream.mrd", "-o", "images.h5", cwd=tmp_path, check=False)
    assert "images.h5 is there already" in again.stderr


def test_keys_let_a_client_in_and_keep_others_out(serving, command, tmp_path, data):
    folder = tmp_path / "keys"
    folder.mkdir()
    command("keys", "make", folder)
    command("keys", "add-client", folder, "console", "-o", tmp_path / "console.toml")
    assert "console" in command("keys", "list", folder, env={"COLUMNS": "200"}).stdout
    with serving("--curve", str(folder)) as engine:
        told = command("status", engine.zmq, "--curve", tmp_path / "console.toml").stdout
        assert "serving" in told
        stranger = command("status", engine.zmq, check=False)
        assert stranger.returncode == 1
        assert "Traceback" not in stranger.stderr
        result = command(
            "replay", data / "raw" / "phantom_16ch.h5", "--to", engine.zmq, "--sessions", "2",
            "--curve", tmp_path / "console.toml",
        )  # fmt: skip
        assert "completed" in result.stdout or "2" in result.stdout


@pytest.mark.parametrize("protocol", ["zmq", "mrd"])
def test_a_whole_scan_is_replayed_with_a_quarter_of_its_lines(serving, command, data, tmp_path, protocol):
    report = tmp_path / "report.json"
    with serving() as engine:
        command(
            "replay", data / "raw" / "brain_t1_7ch.h5", "--to", getattr(engine, protocol), "--protocol", protocol,
            "--undersample", "4", "--chain", "sense", "--sessions", "2", "--report", report,
        )  # fmt: skip
    (told,) = json.loads(report.read_text())["files"]
    assert told["readouts"] == 64
