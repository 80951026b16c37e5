import numpy as np
import pytest

from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Text
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE
from echotrain.engine.records import Key, Reconstruction
from echotrain.gadgets._flag_metadata import flagged
from echotrain.gadgets.decide import Decide
from echotrain.models.flags.report import FlagReport, RaisedFlag

SCAN = {"matrix": (8, 8, 1), "fov": (200, 200, 5)}


@pytest.fixture
def image(scans):
    """``image(method, *flags)``: an image with flags."""

    def make(method, *flags, number=0):
        blank = Reconstruction(
            key=Key(slice=number),
            data=np.ones((1, 1, 8, 8), np.float32),
            header=np.zeros((), ACQUISITION_DTYPE),
            encoding=scans.Scan(**SCAN).header.encodings[0],
            method=method,
        )
        report = FlagReport(tuple(RaisedFlag(*flag) for flag in flags), ("noise: twice the noise",) if flags else ())
        return flagged(blank, report, judged="net")

    return make


@pytest.fixture
def decide(scans):
    """``decide(*images, policy=...)``: images sent, and texts."""

    def run(*images, counted=None, **fields):
        context = {} if counted is None else {"decided": lambda *labels: counted.append(labels)}
        out = scans.run(scans.Scan(**SCAN), Decide(**fields), *images, **context)
        return [m for m in out if isinstance(m, Reconstruction)], [m.text for m in out if isinstance(m, Text)]

    return run


NOISY = ("noise", "warning", 0.9)


def test_what_has_no_flag_passes_as_it_is(decide, image):
    clean = image("net")
    sent, texts = decide(clean)
    assert sent == [clean]
    assert texts == []


def test_a_flagged_image_is_sent_with_its_flags_unless_told_otherwise(decide, image):
    counted = []
    sent, texts = decide(image("sense", NOISY), image("net", NOISY), counted=counted)
    assert [one.meta["EchotrainDecision"] for one in sent] == ["annotated", "annotated"]
    assert texts == [
        "WRN decide: slice 0: sent with its flags: noise: warning, probability 0.90; noise: twice the noise"
    ]
    assert counted == [("annotate", "noise")] * 2


def test_a_notice_is_no_line_on_the_console(decide, image):
    assert decide(image("net", ("noise", "notice", 0.6)))[1] == []


def test_the_conventional_image_takes_the_place_of_the_others(decide, image):
    policy = {"noise": {"warning": "fall_back"}}
    sent, texts = decide(image("sense", NOISY), image("net", NOISY), policy=policy)
    assert [one.method for one in sent] == ["sense"]
    assert sent[0].meta["EchotrainDecision"].startswith("sent alone, in place of net: noise: warning")
    assert any("sent alone" in remark for remark in sent[0].meta["EchotrainRemarks"])
    assert len(texts) == 1
    assert "only sense is sent" in texts[0]


def test_a_conventional_image_that_comes_last_is_found_too_and_one_that_never_comes_is_told(decide, image):
    policy = {"noise": {"notice": "fall_back"}}
    sent, texts = decide(image("net", NOISY), image("sense", NOISY), image("net", NOISY, number=1), policy=policy)
    assert [one.method for one in sent] == ["sense"]
    assert texts[-1] == "ERR decide: slice 1 fell back to sense, of which no image came: nothing was sent"


def test_a_withheld_slice_is_told_with_the_reason(decide, image):
    sent, texts = decide(image("sense", NOISY), image("net", NOISY), policy={"any": {"warning": "withhold"}})
    assert sent == []
    assert texts == ["WRN decide: slice 0: withheld: noise: warning, probability 0.90; noise: twice the noise"]


@pytest.mark.parametrize(("severity", "method"), [("notice", ["sense", "net"]), ("warning", ["sense"]), ("severe", [])])
def test_severities_have_actions_of_their_own_or_that_of_the_next_lower(decide, image, severity, method):
    policy = {"spike": {"warning": "fall_back", "severe": "withhold"}, "any": {"notice": "annotate"}}
    flag = ("spike", severity, 0.9)
    sent, _ = decide(image("sense", flag), image("net", flag, NOISY), policy=policy)
    assert [one.method for one in sent] == method


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"nois": {"warning": "withhold"}}, "'nois'. Known flags: worst_case, inserted_structure, noise"),
        ({"noise": {"bad": "withhold"}}, "severity 'bad', expected notice, warning, severe"),
    ],
)
def test_a_policy_for_what_there_is_not_is_refused(policy, says):
    with pytest.raises(ConfigurationError) as refusal:
        Decide(policy=policy)
    assert says in str(refusal.value)
