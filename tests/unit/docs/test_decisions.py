import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))


def test_records_are_numbered_without_gaps():
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_index_lists_every_record_once_in_order():
    text = (FOLDER / "README.md").read_text()
    assert re.findall(r"\]\((\d{4}[^)]*)\)", text) == [record.name for record in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_is_one_page_with_its_number_and_five_sections(record):
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Status",
        "Context",
        "Decision",
        "Consequences",
        "Rejected",
    ]
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_files_that_a_record_names_exist(record):
    named = re.findall(r"`((?:engine|gadgets|clients|models|deploy)/[\w./]+\.\w+)`", record.read_text())
    missing = [name for name in named if not (FOLDER.parents[1] / name).exists()]
    assert not missing
