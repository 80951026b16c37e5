"""What a stress test says of images."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console

from echotrain.clients.replay_stress import StressReport, changed_series, new_warnings
from echotrain.clients.replay_stress_display import stress_tables
from echotrain.engine.messages import Text


@pytest.fixture
def make(build):
    """Make an image of one series, of given pixels (y, x)."""

    def image(pixels, *, series=1, index=1, meta=None):
        made = build.image(meta=meta or {})
        header = made.header.copy()
        header["image_series_index"], header["image_index"] = series, index
        return replace(made, header=header, pixels=np.asarray(pixels)[None, None])

    return image


@pytest.fixture
def pixels():
    return np.random.default_rng(0).uniform(1, 2, (16, 16)).astype(np.float32)


def test_change_amplification_and_largest_change_are_those_of_magnitudes(make, pixels):
    other = pixels.copy()
    other[3, 4] += 5
    (found,) = changed_series([make(pixels)], [make(other * np.complex64(1j))], 0.01)
    assert found.images == 1
    assert found.change == pytest.approx(5 / np.linalg.norm(pixels))
    assert found.amplification == pytest.approx(found.change / 0.01)
    assert found.largest == pytest.approx(5 / np.percentile(pixels, 99))
    assert found.ssim < 1


def test_images_that_are_alike_have_changed_by_nothing(make, pixels):
    (found,) = changed_series([make(pixels)], [make(pixels)], 0.01)
    assert (found.change, found.amplification, found.largest, found.alone, found.unlike) == (0, 0, 0, 0, 0)
    assert found.ssim == pytest.approx(1)


def test_twice_the_brightness_is_a_change_although_nothing_moved(make, pixels):
    (found,) = changed_series([make(pixels)], [make(2 * pixels)], None)
    assert found.change == pytest.approx(1)
    assert found.amplification is None
    assert found.ssim < 0.95


def test_integers_that_are_rescaled_are_compared_in_their_units(make):
    steps = np.full((16, 16), -32768, np.int16)
    clean, other = ({"RescaleSlope": slope} for slope in ("0.5", "1.0"))
    (found,) = changed_series([make(steps, meta=clean)], [make(steps // 2, meta=other)], 1.0)
    assert found.change == 0
    assert found.largest == 0


def test_images_are_paired_by_series_and_index_and_those_without_a_partner_counted(make, pixels):
    clean = [make(pixels, index=1), make(2 * pixels, index=2), make(pixels, series=2)]
    other = [make(2 * pixels, index=2), make(pixels, index=3), make(pixels, index=1)]
    one, two = changed_series(clean, other, 0.1)
    assert (one.series, one.images, one.alone, one.change) == (1, 2, 1, 0)
    assert (two.series, two.images, two.alone, two.change, two.ssim) == (2, 0, 1, None, None)


def test_other_shapes_and_pixels_that_are_not_finite_are_not_compared(make, pixels):
    broken = pixels.copy()
    broken[0, 0] = np.nan
    clean = [make(pixels, index=1), make(pixels, index=2)]
    (found,) = changed_series(clean, [make(pixels[:8], index=1), make(broken, index=2)], 0.1)
    assert (found.images, found.unlike, found.change) == (0, 2, None)


def test_an_empty_clean_image_gives_no_figures(make):
    (found,) = changed_series([make(np.zeros((16, 16)))], [make(np.ones((16, 16)))], 0.1)
    assert (found.images, found.change, found.largest, found.ssim) == (1, None, None, None)


def test_flags_are_counted_in_both_runs(make, pixels):
    meta = {"EchotrainFlags": ("noise: warning, probability 0.97", "spike: notice, probability 0.60")}
    (found,) = changed_series([make(pixels, meta={"EchotrainFlags": "none"})], [make(pixels, meta=meta)], 0.1)
    assert found.flags_clean == {}
    assert found.flags == {"noise: warning": 1, "spike: notice": 1}


def test_warnings_are_those_that_the_clean_run_had_not(make, pixels):
    clean = [Text("WRN old"), make(pixels)]
    other = [Text("WRN new"), Text("DBG nothing"), Text("WRN old"), Text("WRN new")]
    assert new_warnings(clean, other) == ("WRN new",)


def test_the_report_becomes_json_and_a_table(make, pixels):
    report = StressReport(
        file="a.h5",
        run="perturbed",
        perturbations=('{"kind":"ghost"}',),
        size=0.02,
        series=changed_series([make(pixels), make(pixels, index=2)], [make(1.04 * pixels)], 0.02),
        warnings=("WRN what [is] this",),
    )
    assert json.loads(json.dumps(asdict(report)))["series"][0]["images"] == 1
    console = Console(width=100, record=True)
    for part in stress_tables([report]):
        console.print(part)
    text = console.export_text()
    for told in (
        "a.h5: perturbed against clean, samples changed by 2 %",
        '{"kind":"ghost"}',
        "4 %",
        "2.00 x",
        "1 images came in one of the two runs only",
        "new: WRN what [is] this",
    ):
        assert told in text
