"""Whatever a client sends, in whatever order, the session answers by its table and never breaks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from echotrain.engine.errors import EchotrainError
from echotrain.engine.messages import Array, Close, ConfigName, ConfigText, Fault, Header, Parameters, Query, Text
from echotrain.engine.session import TRANSITIONS, Build, Feed, Finish, Send, Session, State

MESSAGES = st.one_of(
    st.text(max_size=20).map(ConfigName),
    st.text(max_size=20).map(ConfigText),
    st.binary(max_size=20).map(Header),
    st.text(max_size=40).map(Text),
    st.sampled_from(['{"parameters": {"config": "null"}}', '{"parameters": 1}', '{"parameters": {"a.b": [1]}}']).map(
        Text
    ),
    st.builds(Parameters, st.none() | st.text(max_size=5)),
    st.just(Array(np.zeros(1))),
    st.builds(Query, st.integers(0, 2**64 - 1), st.text(max_size=10)),
    st.just(Close()),
    st.just(Fault("x", "y")),
)


@given(st.lists(st.one_of(MESSAGES, st.sampled_from(["begin", "drained", "fail"])), max_size=30))
def test_no_order_of_events_breaks_a_session(events):
    session = Session()
    built = finished = closes = 0
    for event in events:
        before = session.state
        try:
            match event:
                case "begin":
                    orders = session.begin()
                case "drained":
                    orders = session.drained()
                case "fail":
                    orders = session.fail(EchotrainError("stop"))
                case _:
                    orders = session.receive(event)
                    assert TRANSITIONS[before, type(event)] is session.state
        except EchotrainError:
            continue
        for order in orders:
            built += isinstance(order, Build)
            finished += isinstance(order, Finish)
            closes += order == Send(Close())
            assert not isinstance(order, Feed | Finish) or built == 1  # a chain is there before anything is fed to it
    assert built <= 1
    assert finished <= 1
    assert closes <= 1
    assert session.state in State
