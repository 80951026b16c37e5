"""A study that is killed goes on; rows of other settings are refused; several processes compute the same."""

import dataclasses
import subprocess
import sys
from typing import ClassVar

import pytest

from echotrain.clients.studies.report_page import write_report
from echotrain.clients.studies.rows_file import RowsFile
from echotrain.clients.studies.run_study import run_study
from echotrain.engine.errors import ConfigurationError
from echotrain.models.studies.conditions import fact
from echotrain.models.studies.study import Report, Table

ENDLESS = """
import os
import time
from echotrain.clients.studies.run_study import _computed

class Endless:
    def start(self):
        return work

def work(unit):
    os.write(1, b"at work\\n")  # in one piece: two processes write
    time.sleep(600)

if __name__ == "__main__":
    list(_computed(Endless(), [(0,), (1,)], 2))
"""


@dataclasses.dataclass(frozen=True)
class Square:
    name: str
    level: float
    part: int
    value: float


@dataclasses.dataclass(frozen=True)
class Squares:
    name: ClassVar[str] = "squares"
    row: ClassVar[type] = Square
    fails_at: float = -1.0

    def settings(self):
        return {"power": 2, "levels": (0.1, 0.2), "weights": {"a@1": "00"}}

    def units(self):
        return [("x", level) for level in (0.1, 0.2, 0.3)]

    def start(self):
        def compute(unit):
            if unit[1] == self.fails_at:
                raise KeyboardInterrupt
            return [Square(*unit, part, unit[1] ** 2) for part in range(2)]

        return compute


def test_what_was_interrupted_goes_on_and_is_the_same(tmp_path):
    whole = RowsFile(tmp_path / "whole.csv", Square, Squares().settings())
    run_study(Squares(), whole, processes=1)
    with pytest.raises(KeyboardInterrupt):
        run_study(Squares(fails_at=0.2), RowsFile(tmp_path / "cut.csv", Square, Squares().settings()), processes=1)
    kept = RowsFile(tmp_path / "cut.csv", Square, Squares().settings())
    assert [row.level for row in kept.rows] == [0.1, 0.1]
    run_study(Squares(fails_at=0.1), kept, processes=1)  # fails if what is kept is computed again
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_rows_of_other_settings_are_refused_by_name(tmp_path):
    run_study(Squares(), RowsFile(tmp_path / "a.csv", Square, Squares().settings()), processes=1)
    with pytest.raises(ConfigurationError, match="power was 2, is 3"):
        RowsFile(tmp_path / "a.csv", Square, {**Squares().settings(), "power": 3})


def test_another_table_is_refused(tmp_path):
    run_study(Squares(), RowsFile(tmp_path / "a.csv", Square, Squares().settings()), processes=1)
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ConfigurationError, match="no table of this study"):
        RowsFile(tmp_path / "a.csv", Square, Squares().settings())


def test_a_report_states_every_condition_with_its_outcome(tmp_path):
    table = Table("T", ("", "a"), [["b", "1"]])
    report = Report([fact("It holds.", False, "3 of 4")], ["found so"], [table], ["a note"])
    page = tmp_path / "squares.md"
    for _ in range(2):  # a rerun replaces
        write_report(page, "Squares", report, {"Command": "`x`"}, [tmp_path / "squares.png"])
    text = page.read_text()
    assert text.startswith("# Squares\n")
    assert text.count("- **not met**: It holds.\n  Found: 3 of 4.") == 1
    assert "![Squares](squares.png)" in text
    assert "- found so" in text


def test_processes_end_when_the_one_that_began_them_is_killed(tmp_path):
    (tmp_path / "program.py").write_text(ENDLESS)
    with subprocess.Popen([sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert [process.stdout.readline() for _ in range(2)] == ["at work\n"] * 2
        finally:
            process.kill()
        rest, _ = process.communicate(timeout=30)  # returns when nobody is left who could write
    assert rest == ""
