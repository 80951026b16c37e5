import pytest
from pydantic import ValidationError

from echotrain.models.simulation.acquisition_range import AcquisitionRange


@pytest.mark.parametrize(
    ("field", "got", "says"),
    [
        ("acceleration", (8.0, 2.0), r"acceleration is \(8.0, 2.0\), expected \(lowest, highest\)"),
        ("acceleration", (0.5, 2.0), "greater than or equal to 1"),
        ("snr", (10.0, float("inf")), "expected both finite, or both infinite for no noise"),
        ("masks", (), "at least 1 item"),
        ("masks", ("radial",), "'poisson_disc'"),
        ("maps", ("walsh",), "'espirit'"),
        ("coils", (0, 4), "greater than or equal to 1"),
        ("crop", (8, 64), "greater than or equal to 16"),
        ("speed", 3, "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_got_and_expected(field, got, says):
    with pytest.raises(ValidationError, match=says) as caught:
        AcquisitionRange(**{field: got})
    assert "input_value" in str(caught.value)


def test_a_range_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        AcquisitionRange().crop = (64, 64)
