import pytest

from echotrain.clients.studies.finding import Finding, merged, read_findings, write_findings
from echotrain.engine.errors import ConfigurationError


def finding(label="first", column="tv", row="R = 4", value=30.0):
    return Finding(label, "PSNR by acceleration, dB", row, column, value)


def test_findings_are_read_back(tmp_path):
    file = tmp_path / "deep" / "weights.csv"
    written = [finding(), finding(column="modl@1", value=31.25)]
    write_findings(file, written)
    assert read_findings(file) == written


def test_no_file_holds_nothing_and_another_file_is_refused(tmp_path):
    assert read_findings(tmp_path / "none.csv") == []
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match="holds no findings"):
        read_findings(tmp_path / "other.csv")


def test_a_new_figure_replaces_its_own_former_one_alone():
    known = [finding(), finding(label="second"), finding(row="R = 8"), finding(column="modl@1")]
    found = merged(known, [finding(value=33.0)])
    assert found == [*known[1:], finding(value=33.0)]
