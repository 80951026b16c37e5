"""README's commands and program run as they stand there."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shell(script, folder):
    """Run a script in a shell with job control, as a person types it; nothing that it started outlives it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECHOTRAIN_")}
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env={**environment, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=110)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def test_the_commands_run_one_after_the_other(folder):
    lines = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 8
    ready = "for i in $(seq 100); do echotrain status >/dev/null 2>&1 && break; sleep 0.1; done"
    script = ["set -em"]
    for line in lines:
        script.append(line)
        if line.endswith("&"):
            script.append(ready)
    code, output = shell("\n".join(script), folder)
    assert code == 0, output
    assert (folder / "images.h5").is_file()
    assert (folder / "report.json").is_file()
    assert "completed" in output


def test_the_program_runs_on_the_commands_scan(folder):
    (program,) = blocks("python")
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("(1, 1, 128, 128)") == 2


def test_the_chain_is_good(folder):
    (chain,) = blocks("toml")
    (folder / "chain.toml").write_text(chain)
    code, output = shell(
        "echotrain chains check chain.toml && echotrain recon scan.h5 --chain chain.toml -o again.h5", folder
    )
    assert code == 0, output


def test_the_linked_files_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target
