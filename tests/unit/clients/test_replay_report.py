import io
import json

import pytest
from rich.console import Console

from echotrain.clients.replay_compare import ImageDifference
from echotrain.clients.replay_display import render
from echotrain.clients.replay_report import FileReport, Latency, Outcome, ReplayReport, SessionReport

OK = SessionReport(name="session 1", file="a.h5", outcome=Outcome.OK, readouts=100, nbytes=2**20, images=2)
FAILED = SessionReport(name="session 2", file="a.h5", outcome=Outcome.FAILED, code="bad_data", error="17 samples")
LEFT = SessionReport(name="session 3", file="a.h5", outcome=Outcome.INTERRUPTED, readouts=100, lateness_seconds=0.25)
FILE = FileReport(file="a.h5", readouts=100, nbytes=2**20, chain="default", pace="time stamps")


def report(*sessions, **fields):
    fields = {"sessions_planned": len(sessions), **fields}
    return ReplayReport(target="tcp://h:1 (zmq)", speed="max", seconds=2.0, files=(FILE,), sessions=sessions, **fields)


def text(of):
    file = io.StringIO()
    Console(width=200, file=file).print(render(of))
    return file.getvalue()


def test_percentiles_are_those_of_all_images():
    latency = Latency.of([0.001 * n for n in range(101)])
    assert (latency.p50, latency.p95, latency.p99, latency.max) == pytest.approx((0.05, 0.095, 0.099, 0.1))
    assert latency.images == 101


def test_without_an_image_there_is_no_latency():
    assert Latency.of([]) is None
    assert "no image to time" in text(report(OK))


def test_rates_are_over_all_sessions_and_the_whole_time():
    result = report(OK, OK, LEFT)
    assert result.readouts_per_second == pytest.approx(150)
    assert result.mib_per_second == pytest.approx(1)
    assert result.lateness_seconds == 0.25


def test_a_replay_is_good_only_if_every_planned_session_completed_with_equal_images():
    assert report(OK, OK).ok
    assert not report(OK, FAILED).ok
    assert not report(OK, LEFT).ok
    assert not report(OK, sessions_planned=2).ok
    assert not report(OK, differences=(ImageDifference(file="a.h5", image="series 1", text="differs"),)).ok


def test_errors_are_counted_by_code_with_one_example():
    hung = SessionReport(name="session 4", file="a.h5", outcome=Outcome.FAILED, code="gadget_hung", error="too slow")
    first, second = report(hung, FAILED, FAILED).errors
    assert (first.code, first.sessions, first.example) == ("bad_data", 2, "session 2: 17 samples")
    assert (second.code, second.sessions) == ("gadget_hung", 1)


def test_the_report_becomes_json_with_its_summary():
    plain = json.loads(json.dumps(report(OK, FAILED, latency=Latency.of([0.5])).to_dict()))
    assert plain["ok"] is False
    assert (plain["sessions_ok"], plain["sessions_failed"], plain["images"]) == (1, 1, 2)
    assert plain["latency"] == {"images": 1, "p50": 0.5, "p95": 0.5, "p99": 0.5, "max": 0.5}
    assert plain["sessions"][1]["outcome"] == "failed"
    assert plain["errors"] == [{"code": "bad_data", "sessions": 1, "example": "session 2: 17 samples"}]


def test_the_table_says_which_session_failed_and_which_image_differs():
    difference = ImageDifference(file="a.h5", image="series 1 index 2 (slice 1)", text="in session 1 it differs")
    shown = text(report(OK, FAILED, LEFT, differences=(difference,), interrupted=True))
    assert "1 ok, 1 failed, 1 interrupted, of 3 (stopped early)" in shown
    assert "session 2, a.h5: bad_data: 17 samples" in shown
    assert "a.h5: series 1 index 2 (slice 1): in session 1 it differs" in shown
    assert "250.0 ms at most" in shown


def test_brackets_in_an_error_are_shown_as_they_are():
    odd = SessionReport(name="session 1", file="a.h5", outcome=Outcome.FAILED, code="bad_chain", error="no [[chain]]")
    assert "no [[chain]]" in text(report(odd))
