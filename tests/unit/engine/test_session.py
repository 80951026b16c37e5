import itertools
from types import MappingProxyType

import numpy as np
import pytest

from echotrain.engine.errors import ChainError, ProtocolError, WrongOrder
from echotrain.engine.messages import (
    Array,
    Close,
    ConfigName,
    ConfigText,
    Fault,
    Header,
    Image,
    Parameters,
    Progress,
    Query,
    Readouts,
    Response,
    Text,
    Waveform,
)
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, IMAGE_DTYPE, WAVEFORM_DTYPE
from echotrain.engine.session import TRANSITIONS, Answer, Build, Feed, Finish, Note, Send, Session, State, fault
from echotrain.engine.session import parse_parameters as parse

CONFIG, HEADER = ConfigName("default"), Header(b"<ismrmrdHeader/>")
READOUTS = Readouts(np.zeros(1, ACQUISITION_DTYPE), np.zeros((1, 1, 4), np.complex64))
EVERY_MESSAGE = (
    CONFIG,
    ConfigText("[[chain]]"),
    HEADER,
    Parameters("null"),
    READOUTS,
    Waveform(np.zeros((), WAVEFORM_DTYPE), np.zeros((1, 1), np.uint32)),
    Image(np.zeros((), IMAGE_DTYPE), np.zeros((1, 1, 1, 1))),
    Array(np.zeros(1)),
    Text("hello"),
    Query(1, "version"),
    Response(1, "1"),
    Progress("g", 1, 2),
    Fault("code", "text"),
    Close(),
)


def in_state(state):
    session = Session()
    steps = {
        State.AWAITING_CONFIG: [],
        State.AWAITING_HEADER: [CONFIG],
        State.STREAMING: [CONFIG, HEADER],
        State.DRAINING: [CONFIG, HEADER, Close()],
        State.CLOSED: [Close()],
    }
    for message in steps[state]:
        session.receive(message)
    assert session.state is state
    return session


@pytest.mark.parametrize(
    ("state", "message"),
    list(itertools.product(State, EVERY_MESSAGE)),
    ids=lambda v: getattr(v, "name", type(v).__name__),
)
def test_every_message_in_every_state_follows_the_table_or_is_refused(state, message):
    session = in_state(state)
    target = TRANSITIONS.get((state, type(message)))
    if target is None:
        with pytest.raises(WrongOrder, match=type(message).__name__):
            session.receive(message)
        assert session.state is state
    else:
        session.receive(message)
        assert session.state is target


def test_a_scan_builds_feeds_finishes_and_closes():
    session = Session()
    assert session.receive(CONFIG) == []
    assert session.receive(HEADER) == []
    assert session.receive(READOUTS) == [Build(CONFIG, HEADER, None), Feed(READOUTS)]
    assert session.receive(READOUTS) == [Feed(READOUTS)]
    assert session.receive(Close()) == [Finish()]
    assert session.drained() == [Send(Close())]
    assert session.drained() == []
    assert session.state is State.CLOSED


def test_a_scan_without_data_is_still_built_and_finished():
    session = in_state(State.STREAMING)
    assert session.receive(Close()) == [Build(CONFIG, HEADER, None), Finish()]


def test_close_instead_of_a_header_is_a_probe_and_answered_with_close():
    session = in_state(State.AWAITING_HEADER)
    assert session.receive(Close()) == [Send(Close())]


def test_begin_builds_once_and_only_when_there_is_a_header():
    session = in_state(State.AWAITING_HEADER)
    assert session.begin() == []
    session.receive(HEADER)
    assert session.begin() == [Build(CONFIG, HEADER, None)]
    assert session.begin() == []
    assert session.receive(READOUTS) == [Feed(READOUTS)]


def test_json_right_after_the_header_names_another_chain():
    session = in_state(State.STREAMING)
    text = Text('{"parameters": {"config": "null", "customconfig": "", "scale_images.dtype": "int16", "options": "x"}}')
    expected = Parameters("null", MappingProxyType({"scale_images.dtype": "int16"}))
    assert session.receive(text) == [Build(CONFIG, HEADER, expected)]


def test_json_after_data_is_only_logged():
    session = in_state(State.STREAMING)
    session.receive(READOUTS)
    text = '{"parameters": {"config": "null"}}'
    assert session.receive(Text(text)) == [Note(text)]


def test_other_text_after_the_header_is_logged_and_parameters_may_still_come():
    session = in_state(State.STREAMING)
    assert session.receive(Text("hello")) == [Note("hello")]
    assert session.receive(Parameters("null")) == [Build(CONFIG, HEADER, Parameters("null"))]


def test_parameters_after_data_are_an_error():
    session = in_state(State.STREAMING)
    session.receive(READOUTS)
    with pytest.raises(WrongOrder, match="after data"):
        session.receive(Parameters("null"))


def test_a_query_is_answered_before_the_scan():
    assert Session().receive(Query(7, "version")) == [Answer(Query(7, "version"))]


def test_a_failure_tells_code_gadget_number_and_text_then_closes_once():
    session = in_state(State.STREAMING)
    error = ChainError("no gadget is named 'x'")
    error.gadget = "x"
    told = Fault("bad_chain", "no gadget is named 'x'", "x", 2)
    assert session.fail(error) == [Send(told), Send(Close())]
    assert session.fail(error) == []


def test_an_error_that_is_not_ours_is_told_by_its_type():
    assert fault(KeyError("slice")) == Fault("internal", "KeyError: 'slice'")


@pytest.mark.parametrize("text", ["", "hello", "[1]", "3", '{"other": 1}', "{" * 10_000])
def test_text_that_is_no_parameters_is_left_alone(text):
    assert parse(text) is None


def test_customconfig_wins_over_config():
    assert parse('{"parameters": {"config": "a", "customconfig": "b"}}').config == "b"


@pytest.mark.parametrize("text", ['{"parameters": 3}', '{"parameters": {"config": 3}}', '{"parameters": []}'])
def test_parameters_of_the_wrong_kind_are_refused(text):
    with pytest.raises(ProtocolError, match="expected"):
        parse(text)
