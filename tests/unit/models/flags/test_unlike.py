import datetime as dt

import numpy as np
import pytest

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.flags.evidence import Evidence
from echotrain.models.flags.flag import Flag
from echotrain.models.flags.flag_model import DISTANCE, FlagData, FlagModel, Regions, Typical, known_flags, save_flags
from echotrain.models.flags.input_statistics import input_statistics
from echotrain.models.flags.unlike import unlike_training
from echotrain.models.measurements import joined
from echotrain.models.trained_range import TrainedRange

SHA = "ab" * 32


def statistics(measurements):
    image = CGSense()(measurements)[0].numpy()
    return {f"input_{name}": value for name, value in input_statistics(Evidence(measurements, image, image)).items()}


@pytest.fixture
def flags(scan):
    """Of a model that knows discs."""
    known = [statistics(scan(seed=seed).measurements) for seed in range(12)]
    names = tuple(known[0])
    values = np.array([[one[name] for name in names] for one in known])
    typical = Typical(
        features=names,
        mean=tuple(values.mean(axis=0).tolist()),
        precision=tuple(map(tuple, np.diag(1 / (values.var(axis=0) + 1e-4)).tolist())),
    )
    flag = Flag(intercept=-8.0, notice=0.5, warning=0.7, severe=1.0, weights={DISTANCE: 8.0})
    return FlagModel(
        judged="first",
        conventional="sense",
        date=dt.date(2020, 1, 1),
        weights={"first": SHA},
        scope=TrainedRange(acceleration=(1, 8), matrix=(64, 64), coils=(4, 4), snr=(1, 99), masks=("uniform",)),
        data=FlagData(file="none", slices=12, seed=0, note=""),
        typical=typical,
        regions=Regions(intercept=0.0, weights={}),
        flags={"out_of_distribution": flag},
    )


def with_stripes(measurements):
    image = measurements.operator().adjoint(measurements.kspace)
    image[..., ::4, :] *= 0.1
    kspace = measurements.operator()(image)
    return type(measurements)(kspace, measurements.mask, measurements.maps, measurements.noise)


def test_a_scan_like_those_of_the_training_is_not_told_of_and_another_is(scan, flags):
    known = scan(seed=99).measurements
    strange = with_stripes(known)
    assert unlike_training(flags, known) is None
    told = unlike_training(flags, strange)
    assert told.startswith("unlike the scans that it was trained on, probability ")
    assert unlike_training(flags, joined([known, strange])) == told


def test_nothing_is_said_of_no_signal_and_without_that_flag(scan, flags):
    known = scan().measurements
    nothing = type(known)(known.kspace * 0, known.mask, known.maps, known.noise)
    assert unlike_training(flags, nothing) is None
    without = flags.model_copy(update={"flags": {"noise": flags.flags["out_of_distribution"]}})
    assert unlike_training(without, with_stripes(known)) is None


def test_flags_are_known_for_the_very_weights(flags, tmp_path):
    assert known_flags(tmp_path, SHA) is None
    save_flags(flags, tmp_path)
    assert known_flags(tmp_path, SHA) == flags
    assert known_flags(tmp_path, "cd" * 32) is None
    assert known_flags(tmp_path, SHA, "cs-tv") is None
