"""docs/gadgets.md is done as it says, in a distribution outside this repository and without a network."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from echotrain.engine.gadget import Gadget
from echotrain.engine.image_file import read_images
from echotrain.engine.registry import ENTRY_POINT_GROUP

TUTORIAL = Path(__file__).parents[3] / "docs" / "gadgets.md"


@pytest.fixture(scope="module")
def text() -> str:
    return TUTORIAL.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(text, tmp_path_factory) -> Path:
    """The tutorial's files, and beside them what installing the distribution leaves: a dist-info with entry points."""
    here = tmp_path_factory.mktemp("tutorial")
    files = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert set(files) == {"hamming_gadget.py", "pyproject.toml", "hamming.toml", "test_hamming_gadget.py"}
    for name, content in files.items():
        (here / name).write_text(content, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = here / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    points = project["entry-points"][ENTRY_POINT_GROUP]
    lines = [f"[{ENTRY_POINT_GROUP}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return here


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "120"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def echotrain(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-c", "from echotrain.clients.cli import main; main()", *arguments)


def test_the_tutorials_commands_give_filtered_images_with_their_provenance(text, folder):
    commands = re.findall(r"^\$ echotrain (.*)$", text, re.MULTILINE)
    assert [shlex.split(command)[0] for command in commands] == ["gadgets", "chains", "simulate", "recon"]
    shown = echotrain(folder, *shlex.split(commands[0]))
    assert "against ringing" in shown
    assert "strength" in shown
    for command in commands[1:]:
        echotrain(folder, *shlex.split(command))
    filtered = read_images(folder / "images.h5")
    assert all("hamming_filter: strength 0.8" in image.meta["ImageProcessingHistory"] for image in filtered)
    echotrain(folder, "recon", "scan.h5", "--chain", "default", "--output", "plain.h5")
    plain = read_images(folder / "plain.h5")
    assert len(filtered) == len(plain) > 0
    for soft, sharp in zip(filtered, plain, strict=True):
        assert np.abs(np.diff(soft.pixels)).sum() < 0.9 * np.abs(np.diff(sharp.pixels)).sum()


def test_the_tutorials_own_test_passes(folder):
    report = run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_hamming_gadget.py")
    assert "1 passed" in report


def test_the_tutorials_function_is_a_gadget(text, build):
    pattern = r"^```python\n(from echotrain\.engine\.gadget import gadget\n.*?)^```$"
    code = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    names: dict = {}
    exec(code[1], names)
    made = names["drop_dark_images"]
    assert issubclass(made, Gadget)
    image = build.image()
    assert list(made(threshold=23.0).receive(image)) == [image]
    assert list(made(threshold=23.5).receive(image)) == []
