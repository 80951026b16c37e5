import pytest

from echotrain.clients.studies.page import markdown_table, write_parts
from echotrain.engine.errors import ConfigurationError


def test_a_rerun_replaces_the_generated_part_and_keeps_the_prose(tmp_path):
    page = tmp_path / "study.md"
    page.write_text("# Study\nBefore.\n<!-- generated: a -->\nold\n\n<!-- end of a -->\nAfter.\n")
    write_parts(page, {"a": r"new \1"})
    assert page.read_text() == "# Study\nBefore.\n<!-- generated: a -->\nnew \\1\n<!-- end of a -->\nAfter.\n"


def test_a_part_that_is_new_comes_at_the_end_and_is_found_again(tmp_path):
    page = tmp_path / "deep" / "study.md"
    write_parts(page, {"a": "1", "b": "2"})
    write_parts(page, {"a": "3"})
    assert page.read_text() == (
        "<!-- generated: a -->\n3\n<!-- end of a -->\n\n<!-- generated: b -->\n2\n<!-- end of b -->\n"
    )


def test_a_lost_marker_is_refused_before_anything_is_written(tmp_path):
    page = tmp_path / "study.md"
    page.write_text("<!-- generated: a -->\nprose that must stay\n")
    with pytest.raises(ConfigurationError, match="one marker of 'a'"):
        write_parts(page, {"a": "new"})
    assert "prose that must stay" in page.read_text()


def test_a_table_aligns_its_figures_to_the_right():
    assert markdown_table(("R", "PSNR"), [("4", "37.90")]) == "| R | PSNR |\n| --- | ---: |\n| 4 | 37.90 |"
