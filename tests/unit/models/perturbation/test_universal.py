"""One pattern for many slices."""

from dataclasses import replace

import pytest
import torch

from echotrain.models.classical.cg_sense import CGSense
from echotrain.models.measurements import Measurements
from echotrain.models.operators.inner_product import inner
from echotrain.models.perturbation.universal import universal
from echotrain.models.perturbation.worst_case import worst_case


def test_slices_share_a_pattern_relative_to_their_data(make_scan, seeded):
    scan = make_scan(batch=3)
    scan = replace(scan, kspace=scan.kspace * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1, 1))
    attack = universal(CGSense(iterations=4), scan, epsilon=0.02, iterations=5, generator=seeded(), together=2)
    sizes = inner(scan.kspace, scan.kspace).sqrt()
    patterns = attack.delta / sizes.view(3, 1, 1, 1)
    torch.testing.assert_close(patterns, patterns[:1].expand_as(patterns))
    torch.testing.assert_close(patterns[0].norm(), torch.tensor(0.02))
    assert not attack.delta[~scan.mask.expand(scan.kspace.shape)].any()
    assert (attack.curve.diff(dim=0) >= 0).all()
    torch.testing.assert_close(attack.gain.mean(), attack.curve[-1, 0], rtol=1e-4, atol=0)
    assert float(attack.curve[-1]) > 1.2 * float(attack.begun)


def test_of_slices_that_are_alike_it_is_the_worst_case_of_each(make_scan, seeded):
    one = make_scan()
    two = Measurements(*(x.expand(2, *x.shape[1:]) for x in (one.kspace, one.mask, one.maps)))
    alone = worst_case(CGSense(iterations=4), one, epsilon=0.02, iterations=4, generator=seeded())
    shared = universal(CGSense(iterations=4), two, epsilon=0.02, iterations=4, generator=seeded())
    torch.testing.assert_close(shared.delta, alone.delta.expand_as(shared.delta), rtol=1e-3, atol=1e-5)


def test_slices_that_were_not_sampled_alike_are_refused(make_scan, seeded):
    scan = make_scan(batch=2)
    mask = scan.mask.clone()
    mask[1, :, 1] = True
    with pytest.raises(ValueError, match="not sampled alike"):
        universal(CGSense(), replace(scan, mask=mask), epsilon=0.1, iterations=1, generator=seeded())
