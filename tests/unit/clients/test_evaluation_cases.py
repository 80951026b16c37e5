"""What an evaluation compares on."""

import pytest

from echotrain.clients.evaluation_cases import ACCELERATIONS, SCANS, SIMULATED, Cases


@pytest.mark.usefixtures("heads")
def test_fewer_slices_are_some_of_all_and_the_same():
    every = {p.number: p for p in Cases((SIMULATED,), (4,)).planned()}
    few = list(Cases((SIMULATED,), (4,), slices=3).planned())
    assert list(every) == list(range(26))
    assert [p.number for p in few] == [0, 12, 25]
    again, one = every[12].make(), few[1].make()
    assert one.number == again.number == 12
    assert (one.measurements.kspace == again.measurements.kspace).all()


def test_scans_have_accelerations_of_their_own_by_default():
    planned = [(p.data, p.acceleration) for p in Cases(SCANS).planned()]
    assert planned == [(name, r) for name in SCANS for r in ACCELERATIONS[name]]
    assert len(Cases(SCANS)) == len(planned)
    assert [p.acceleration for p in Cases(SCANS[:1], (2, 3)).planned()] == [2, 3]
