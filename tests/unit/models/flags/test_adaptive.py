import math

import numpy as np
import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.flags.adaptive import adaptive_worst_case, flag_score
from echotrain.models.flags.evidence import Evidence
from echotrain.models.flags.features import features
from echotrain.models.flags.flag import Flag
from echotrain.models.flags.training import FEATURES
from echotrain.models.perturbation.sensitivity import sensitivity

JUDGED, CONVENTIONAL = CGSense(regularisation=0.001), CGSense(regularisation=0.05)
EPSILON = 0.05


def search(measurements):
    """Twice the size, and turned: features are of a direction."""
    found = sensitivity(JUDGED, measurements, generator=torch.Generator().manual_seed(0))
    return 2j * found.delta[0].numpy()


def evidence_of(measurements):
    images = (m(measurements)[0].numpy() for m in (JUDGED, CONVENTIONAL))
    return Evidence(measurements, *images, worst_change=search(measurements))


def flag_of(names, weight=1.0):
    return Flag(intercept=-1.0, notice=0.5, warning=0.7, severe=0.9, weights=dict.fromkeys(names, weight))


@pytest.mark.parametrize("every", [2, 5])
def test_the_score_is_that_of_the_features(scan, every):
    evidence = evidence_of(scan(every=every).measurements)
    every_feature = features(evidence)
    names = [name for name in every_feature if name.startswith(FEATURES["worst_case"])]
    assert len(names) == 15
    change = torch.from_numpy(evidence.worst_change)[None]
    images = [torch.from_numpy(image)[None] for image in (evidence.judged, evidence.conventional)]
    for name in names:
        flag = flag_of([name], 2.0)
        score = float(flag_score(flag, evidence.measurements, *images, evidence.noise, every_feature, change))
        assert 1 / (1 + math.exp(-score)) == pytest.approx(flag.probability(every_feature), rel=1e-4), name


def test_who_knows_the_flag_harms_less_and_is_seen_less(scan):
    clean = scan(every=4).measurements
    flag = flag_of(["judged_residual_line", "judged_isolated_line_contrast", "judged_beside_centre"], 4.0)

    def attacked(evasion):
        delta = adaptive_worst_case(
            JUDGED,
            CONVENTIONAL,
            clean,
            flag,
            epsilon=EPSILON,
            iterations=15,
            evasion=evasion,
            generator=torch.Generator().manual_seed(0),
        )
        assert float(delta.norm()) == pytest.approx(EPSILON * float(clean.kspace.norm()), rel=1e-3)
        changed = type(clean)(clean.kspace + delta, clean.mask, clean.maps, clean.noise)
        harm = float((JUDGED(changed) - JUDGED(clean)).norm())
        return harm, flag.probability(features(evidence_of(changed)))

    (worst, seen), (less, hidden) = attacked(0.0), attacked(1.0)
    assert less < worst
    assert hidden < seen - 0.2
    noise = torch.randn(clean.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    noise *= clean.mask
    noise *= EPSILON * clean.kspace.norm() / noise.norm()
    changed = type(clean)(clean.kspace + noise, clean.mask, clean.maps, clean.noise)
    assert less > 1.2 * float((JUDGED(changed) - JUDGED(clean)).norm())


def test_who_knows_that_the_flag_looks_along_the_worst_change_hides_there_too(scan):
    clean = scan(every=4).measurements
    flag = flag_of(["conventional_residual_along_worst"], 4.0)

    def seen(evasion):
        generator = torch.Generator().manual_seed(0)
        settings = {"epsilon": EPSILON, "iterations": 15, "evasion": evasion, "generator": generator}
        delta = adaptive_worst_case(JUDGED, CONVENTIONAL, clean, flag, search, **settings)
        changed = type(clean)(clean.kspace + delta, clean.mask, clean.maps, clean.noise)
        return features(evidence_of(changed))["conventional_residual_along_worst"]

    assert seen(1.0) < seen(0.0) - 0.2


def test_a_flag_that_looks_at_what_has_no_gradient_is_refused(scan):
    evidence = evidence_of(scan().measurements)
    images = [torch.from_numpy(image)[None] for image in (evidence.judged, evidence.conventional)]
    flag = flag_of(["judged_residual_kurtosis"])
    change = torch.from_numpy(evidence.worst_change)[None]
    with pytest.raises(ValueError, match="looks at judged_residual_kurtosis; expected residual_low"):
        flag_score(flag, evidence.measurements, *images, evidence.noise, features(evidence), change)
    assert np.isfinite(evidence.noise)
