import pytest

from echotrain.clients.perturbation_text import parse_perturbation
from echotrain.engine.errors import ConfigurationError
from echotrain.models.perturbation.readout_kinds import CoilDropout, Noise, Spikes
from echotrain.models.perturbation.specification import RandomControl, Structure, WorstCase


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("noise:level=1,unit=scan_noise", Noise(level=1, unit="scan_noise")),
        ("spikes:share=.01, size=50", Spikes(share=0.01, size=50)),
        (
            "structure:diameter=[6, 9],contrast=0.3,position=[1.5,-2]",
            Structure(diameter=(6, 9), contrast=0.3, position=(1.5, -2)),
        ),
        ("coil_dropout", CoilDropout()),
        (
            "worst_case:model=default-supervised,epsilon=0.01,iterations=10",
            WorstCase(model="default-supervised", epsilon=0.01, iterations=10),
        ),
        (RandomControl(epsilon=0.02, seed=7).to_text(), RandomControl(epsilon=0.02, seed=7)),
    ],
)
def test_a_perturbation_is_read_as_a_command_line_or_metadata_have_it(text, expected):
    assert parse_perturbation(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("spiky:share=1", "no perturbation is called 'spiky'; known: clipping, coil_dropout, dropped"),
        ("spikes:share=1,height=3", "spikes has the fields seed, readouts, share, size, unit"),
        ("spikes:share=2,size=1", "less than or equal to 1"),
        ("spikes:share", "'share' is no field"),
        ("{", "is no JSON"),
        ("", "no perturbation is called ''"),
    ],
)
def test_what_is_none_is_refused_with_what_is_known(text, told):
    with pytest.raises(ConfigurationError, match="perturbation") as refused:
        parse_perturbation(text)
    assert told in str(refused.value)
