import json

import pytest
from pydantic import ValidationError

from echotrain.models.perturbation import specification as s

ONE_OF_EACH = [
    s.Noise(level=0.1, unit="scan_noise", seed=2**62 + 1),
    s.Noise(level=1, coils="given", covariance=(((1, 0), (0.1, 0.2)), ((0.1, -0.2), (2, 0)))),
    s.Spikes(share=0.1, size=3),
    s.Interference(frequency=0.3, size=1),
    s.Dropped(share=0.1),
    s.Repeated(share=1),
    s.Reordered(share=0.5),
    s.Truncated(share=0.2, kept=0.3),
    s.CoilDropout(coils=(3, 1)),
    s.GainDrift(change=-0.5),
    s.PhaseDrift(change=1 / 3),
    s.Motion(every=8, positions=((0.1, -2, 0),)),
    s.Ghost(phase=0.1),
    s.Clipping(size=1e-7),
    s.Structure(diameter=(6,), contrast=0.3, position=(1.5, -2.25)),
    s.WorstCase(model="admm-net", model_hash="0" * 64, epsilon=0.01, iterations=20, seed=3),
    s.RandomControl(epsilon=0.01, seed=3),
]


@pytest.mark.parametrize("perturbation", ONE_OF_EACH, ids=lambda p: p.kind)
def test_one_line_of_text_makes_an_equal_perturbation(perturbation):
    text = perturbation.to_text()
    assert "\n" not in text
    assert s.parse(text) == perturbation
    assert type(s.parse(text)) is type(perturbation)


def test_every_kind_is_among_the_tried():
    kinds = set(s._ANY.json_schema()["discriminator"]["mapping"])
    assert kinds == {perturbation.kind for perturbation in ONE_OF_EACH}


@pytest.mark.parametrize(
    "nothing",
    [
        s.Noise(level=0),
        s.Spikes(share=0, size=3),
        s.Spikes(share=1, size=0),
        s.Interference(frequency=0.3, size=0),
        s.Dropped(share=0),
        s.Repeated(share=0),
        s.Reordered(share=0),
        s.Truncated(share=0),
        s.Truncated(share=1, kept=1),
        s.CoilDropout(number=0),
        s.CoilDropout(coils=()),
        s.GainDrift(change=0),
        s.PhaseDrift(),
        s.Motion(every=1),
        s.Motion(every=1, positions=((0, 0, 0),)),
        s.Ghost(),
        s.Structure(diameter=(6,), contrast=0),
        s.WorstCase(model="m", epsilon=0, iterations=1),
        s.RandomControl(epsilon=0),
    ],
    ids=lambda p: p.label,
)
def test_an_amount_of_zero_is_known_as_nothing(nothing):
    assert nothing.nothing


@pytest.mark.parametrize("perturbation", ONE_OF_EACH, ids=lambda p: p.kind)
def test_an_amount_above_zero_is_not(perturbation):
    assert not perturbation.nothing


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"kind":"nose","level":1}', "'noise', 'spikes'"),
        ('{"level":1}', "discriminator 'kind'"),
        ("level=1", "Invalid JSON"),
        ('{"kind":"noise","level":-1}', "noise.level: Input should be greater than or equal to 0"),
        ('{"kind":"noise","level":1,"levl":1}', "noise.levl: Extra inputs"),
        ('{"kind":"noise","level":0,"unit":"snr"}', "an snr of 0 has no signal"),
        ('{"kind":"noise","level":1,"coils":"given"}', "belong together"),
        ('{"kind":"noise","level":1,"coils":"given","covariance":[[[1,0],[0,0]]]}', "square"),
        ('{"kind":"spikes","share":1.5,"size":1}', "spikes.share: Input should be less than or equal to 1"),
        ('{"kind":"worst_case","model":"m","epsilon":1.5,"iterations":1}', "epsilon: Input should be less than"),
        ('{"kind":"gain_drift","change":-1}', "greater than -1"),
        ('{"kind":"clipping","size":0}', "greater than 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(text, told):
    with pytest.raises(ValueError, match="perturbation") as caught:
        s.parse(text)
    assert told in str(caught.value)


def test_what_is_no_finite_number_is_refused():
    with pytest.raises(ValidationError, match="finite"):
        s.Noise(level=float("inf"))


def test_labels_name_what_was_set():
    assert s.Spikes(share=0.01, size=3, seed=4).label == "spikes(share=0.01, size=3, seed=4)"
    assert s.Motion(every=8, positions=((1, 0, 0),)).label == "motion(every=8, positions=[[1, 0, 0]])"
    assert s.WorstCase(model="admm-net", epsilon=0.01, iterations=9).label == "worst_case(admm-net, eps=0.01)"


def test_metadata_name_every_field_so_that_later_defaults_change_nothing():
    assert set(json.loads(s.Ghost(phase=1, seed=1).to_text())) == {"kind", "seed", "readouts", "phase", "delay"}
