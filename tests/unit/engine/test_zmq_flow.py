import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotrain.engine.errors import LimitExceeded, ProtocolError
from echotrain.engine.zmq_flow import ACK_MESSAGES, Incoming, Outgoing


def parcel(size):
    return [b"e" * size]


def send_all(outgoing):
    sent = []
    while (found := outgoing.next()) is not None:
        outgoing.sent()
        sent.append(found)
    return sent


def test_messages_are_numbered_from_one_and_kept_until_they_are_acknowledged():
    outgoing = Outgoing(1000)
    assert [outgoing.push(parcel(10)).seq for _ in range(3)] == [1, 2, 3]
    assert [p.seq for p in send_all(outgoing)] == [1, 2, 3]
    assert outgoing.kept_bytes == 30
    outgoing.acknowledged(2, 1000)
    assert outgoing.kept_bytes == 10
    outgoing.acknowledged(3, 1000)
    assert outgoing.empty


def test_a_message_goes_while_any_credit_is_left_so_that_one_larger_than_the_window_still_goes():
    outgoing, incoming = Outgoing(100), Incoming(100)
    for size in (99, 5000, 1):
        outgoing.push(parcel(size))
    assert [p.nbytes for p in send_all(outgoing)] == [99, 5000]
    assert incoming.accept(1, 99)
    assert incoming.accept(2, 5000)
    with pytest.raises(LimitExceeded, match="5099 bytes were sent, 100 were granted"):
        incoming.accept(3, 1)


def test_credit_comes_back_as_memory_becomes_free():
    incoming = Incoming(800)
    incoming.accept(1, 900)
    incoming.consumed(900)
    assert incoming.due
    assert incoming.report() == (1, 1700)
    assert not incoming.due


def test_an_acknowledgement_is_due_after_many_small_messages():
    incoming = Incoming(10**9)
    for seq in range(1, ACK_MESSAGES + 1):
        assert not incoming.due
        incoming.accept(seq, 1)
    assert incoming.due


def test_an_acknowledgement_is_due_before_the_other_side_stops_for_want_of_it():
    incoming = Incoming(10**9, kept_there=800)
    incoming.accept(1, 101)
    assert incoming.due


def test_what_comes_twice_is_thrown_away_and_what_is_missing_is_an_error():
    incoming = Incoming(1000)
    assert incoming.accept(1, 1)
    assert not incoming.accept(1, 1)
    with pytest.raises(ProtocolError, match="message 3 came after message 1"):
        incoming.accept(3, 1)


def test_numbers_never_sent_cannot_be_acknowledged_nor_resumed_from():
    outgoing = Outgoing(1000)
    outgoing.push(parcel(1))
    with pytest.raises(ProtocolError, match="message 1 is acknowledged, but the last one sent is 0"):
        outgoing.acknowledged(1, 0)
    send_all(outgoing)
    outgoing.acknowledged(1, 0)
    for ack in (0, 2):
        with pytest.raises(ProtocolError, match=f"resume after message {ack}"):
            outgoing.rewind(ack, 0)


def test_old_acknowledgements_and_credit_do_no_harm():
    outgoing = Outgoing(1000)
    for _ in range(3):
        outgoing.push(parcel(1))
    send_all(outgoing)
    assert outgoing.acknowledged(3, 2000)
    assert not outgoing.acknowledged(1, 5)
    assert (outgoing.acked, outgoing.credit) == (3, 2000)


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=60),
    window=st.integers(1, 1000),
)
def test_however_often_the_connection_breaks_everything_arrives_once_and_in_order(seed, sizes, window):  # noqa: C901 one case an event
    chance = random.Random(seed)
    outgoing, incoming = Outgoing(window), Incoming(window)
    there, back = deque(), deque()  # what is on the wire
    to_send, arrived, waiting = deque(sizes), [], deque()
    for _ in range(20_000):
        match chance.randrange(8):
            case 0 | 1 if to_send and outgoing.may_push:
                outgoing.push(parcel(to_send.popleft()))
            case 2 if (found := outgoing.next()) is not None:
                outgoing.sent()
                there.append(found)
            case 3 if there:
                found = there.popleft()
                if incoming.accept(found.seq, found.nbytes):
                    arrived.append(found.nbytes)
                    waiting.append(found.nbytes)
            case 4 if waiting:
                incoming.consumed(waiting.popleft())
            case 5 if incoming.due or chance.random() < 0.1:
                back.append(incoming.report())
            case 6 if back:
                outgoing.acknowledged(*back.popleft())
            case 7 if chance.random() < 0.1:
                there.clear()
                back.clear()
                outgoing.rewind(*incoming.report())
        assert sum(waiting) <= window + max(sizes)
        if outgoing.empty and not to_send:
            break
    assert arrived == sizes
