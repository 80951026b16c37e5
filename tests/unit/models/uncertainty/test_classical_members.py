import pytest

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.classical.total_variation import TotalVariation
from echotrain.models.classical.wavelet_l1 import WaveletL1
from echotrain.models.uncertainty.classical_members import (
    CLASSICAL,
    classical_label,
    classical_method,
    settings_of,
)


@pytest.mark.parametrize(("name", "kind"), list(zip(CLASSICAL, (CGSense, TotalVariation, WaveletL1), strict=True)))
def test_a_member_is_called_by_its_name_alone_where_it_has_the_default_settings(name, kind):
    method = classical_method(name, {})
    assert method == kind()
    assert classical_label(name, settings_of(method)) == name


def test_other_settings_are_in_the_label():
    method = classical_method("cs-tv", {"weight": 0.01, "iterations": 30})
    assert method == TotalVariation(weight=0.01, iterations=30)
    assert classical_label("cs-tv", settings_of(method)) == "cs-tv-weight_0.01-iterations_30"
    assert classical_label("sense", {**settings_of(CGSense()), "volume": True}) == "sense-volume_true"


def test_a_whole_number_for_a_real_setting_is_that_number():
    assert settings_of(classical_method("sense", {"tolerance": 0})) == settings_of(CGSense())


def test_the_seed_is_no_setting_that_errors_depend_on():
    assert settings_of(WaveletL1(seed=7)) == settings_of(WaveletL1())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"wieght": 0.1}, "cs-tv: got the setting 'wieght'; did you mean 'weight'? Known: weight, iterations"),
        ({"iterations": "many"}, "cs-tv: iterations = 'many': "),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_those_that_would(settings, says):
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the text is compared
        classical_method("cs-tv", settings)
    assert says in str(refused.value)
