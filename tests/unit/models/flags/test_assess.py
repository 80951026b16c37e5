import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from echotrain.models.flags.assess import assess, worst_report
from echotrain.models.flags.flag import Flag
from echotrain.models.flags.report import FlagReport, RaisedFlag

SIDE = 64
LEVELS = {"notice": 0.5, "warning": 0.75, "severe": 0.99}
FLAGS = {
    "noise": Flag(intercept=-8, weights={"judged_residual_high": 20}, **LEVELS),
    "spike": Flag(intercept=-20, weights={"judged_residual_spike": 20}, **LEVELS),
    "inserted_structure": Flag(intercept=-40, weights={"misfit_peak": 20}, **LEVELS),
}
NAMES = ("net", "CG-SENSE")


def kinds(report):
    return {flag.kind: flag.severity for flag in report.raised}


def test_a_clean_scan_raises_nothing(scan):
    report = assess(scan(), FLAGS, None, names=NAMES)
    assert report.severity == "none"
    assert [flag.kind for flag in report.flags] == list(FLAGS)
    assert report.reasons == ()


def test_noise_is_told_with_how_much_there_is(scan):
    report = assess(scan(added=1.0), FLAGS, None, names=NAMES)
    assert kinds(report) == {"noise": "severe"}
    assert re.match(r"noise: noise (1.9|2).* times the measured one", report.reasons[0])
    assert re.search(r"residual at high frequency (1.9|2).* times the noise$", report.reasons[0])


def test_the_coils_that_are_noisy_are_named(scan):
    clean = scan()
    kspace = clean.measurements.kspace.clone()
    noise = scan(noise=3.0, level=1.0, seed=5).measurements.kspace - scan(noise=0.0, level=1.0).measurements.kspace
    kspace[:, [1, 3]] += noise[:, [1, 3]]
    report = assess(replace(clean, measurements=replace(clean.measurements, kspace=kspace)), FLAGS, None, names=NAMES)
    assert report.reasons[0].endswith("in coils 1 and 3")


def test_a_structure_is_told_with_its_place(scan):
    clean = scan()
    image = clean.judged.copy()
    image[30:36, 40:46] *= 1.5
    seen = replace(clean, judged=image, deviation=np.full(image.shape, 3, np.float32))
    report = assess(seen, FLAGS, None, names=NAMES)
    assert kinds(report)["inserted_structure"] != "none"
    assert "row 32, column 42" in report.reasons[0] or "row 33, column 43" in report.reasons[0]
    assert "net and CG-SENSE disagree here by 5 SD" in report.reasons[0]


ALONG = {"worst_case": Flag(intercept=-12, weights={"conventional_residual_along_worst": 8}, **LEVELS)}


def test_a_worst_case_is_told_with_what_lies_along_the_worst_change(scan):
    clean = scan()
    change = np.zeros_like(clean.kspace)
    change[:, SIDE // 2 + 2] = 1j
    kspace = clean.measurements.kspace + torch.from_numpy(2 * change)
    attacked = replace(clean, measurements=replace(clean.measurements, kspace=kspace), worst_change=3 * change)
    report = assess(attacked, ALONG, None, names=NAMES)
    # twice the noise in each of the samples of a line and four coils: 2 sqrt(4 SIDE), noise itself .9
    found = re.match(r"worst_case: what net and CG-SENSE leave unexplained is (\S+) and (\S+) times", report.reasons[0])
    assert [float(value) for value in found.groups()] == pytest.approx([2 * np.sqrt(4 * SIDE)] * 2, abs=2.5)
    assert kinds(report) == {"worst_case": "severe"}
    assert kinds(assess(replace(clean, worst_change=change), ALONG, None, names=NAMES)) == {}


def test_a_worst_case_is_not_looked_for_where_the_worst_change_was_not_searched_and_it_says_so(scan):
    report = assess(scan(added=1.0), {**ALONG, **FLAGS}, None, names=NAMES)
    assert [flag.kind for flag in report.flags] == list(FLAGS)
    assert report.reasons[-1] == "worst_case: not looked for, as the worst change of this scan was not searched"


def test_flags_that_do_not_hold_for_a_scan_are_a_notice_at_most(scan):
    report = assess(scan(added=1.0), FLAGS, None, names=NAMES, outside=("12 coils, trained for 2",))
    assert kinds(report) == {"noise": "notice"}
    assert not report.raised[0].calibrated
    assert report.outside == ("12 coils, trained for 2",)


def test_a_feature_that_there_is_none_of_is_refused(scan):
    flags = {"noise": Flag(intercept=0, weights={"nois": 1}, **LEVELS)}
    with pytest.raises(ValueError, match=r"the flag noise has weights for nois. Known: .*judged_residual_high"):
        assess(scan(), flags, None, names=NAMES)


def test_the_report_of_several_slices_has_the_worst_of_each():
    first = FlagReport((RaisedFlag("noise", "none", 0.2), RaisedFlag("spike", "notice", 0.6)), ("a",), ("x",))
    second = FlagReport((RaisedFlag("noise", "severe", 1.0), RaisedFlag("spike", "none", 0.1)), ("b", "a"), ("x",))
    both = worst_report([first, second])
    assert both.flags == (RaisedFlag("noise", "severe", 1.0), RaisedFlag("spike", "notice", 0.6))
    assert both.reasons == ("a", "b")
    assert both.outside == ("x",)
