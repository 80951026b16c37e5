import pytest

from echotrain.models.flags.report import FlagReport, RaisedFlag


def test_a_flag_is_read_back_from_its_text():
    for flag in (RaisedFlag("noise", "warning", 0.97), RaisedFlag("spike", "notice", 0.5, calibrated=False)):
        assert RaisedFlag.parse(str(flag)) == flag
    assert str(RaisedFlag("noise", "warning", 0.97)) == "noise: warning, probability 0.97"


@pytest.mark.parametrize("text", ["noise", "nois: warning, probability 0.97", "noise: bad, probability 0.97"])
def test_what_is_no_flag_is_refused(text):
    with pytest.raises(ValueError, match="expected a flag such as"):
        RaisedFlag.parse(text)


def test_a_report_is_as_bad_as_its_worst_flag():
    report = FlagReport((RaisedFlag("noise", "notice", 0.6), RaisedFlag("spike", "none", 0.1)))
    assert report.severity == "notice"
    assert [flag.kind for flag in report.raised] == ["noise"]
    assert FlagReport(()).severity == "none"
