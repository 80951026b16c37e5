import numpy as np
import pytest

from echotrain.models.simulation.brain_phantom import Head, Tissue, tissue_signals
from echotrain.models.simulation.phantom_grid import slice_points


@pytest.fixture(scope="module")
def head():
    return Head.draw(np.random.default_rng(5))


def test_fractions_are_shares_of_the_pixel(head):
    share = head.fractions(slice_points((96, 96)), 2 / 96)
    assert share.min() >= 0
    assert share.sum(axis=0).max() <= 1 + 1e-12
    assert share[:, 0, :].sum() == 0
    assert share[:, 48, 10:15].sum() > 0


def test_every_tissue_is_there(head):
    area = sum(
        head.fractions(slice_points((96, 96), z=z), 2 / 96).mean(axis=(1, 2)) for z in np.linspace(-0.25, 0.25, 9)
    )
    assert (area > 1e-3).all(), dict(zip(Tissue, area, strict=True))
    assert area[Tissue.WHITE] > area[Tissue.GREY] > area[Tissue.LESION]


def test_contrasts_are_ordered_as_in_radiology():
    t1, t2, flair = (tissue_signals(w) for w in ("t1", "t2", "flair"))
    assert t1[Tissue.WHITE] > t1[Tissue.DEEP_GREY] > t1[Tissue.GREY] > t1[Tissue.FLUID]
    assert t2[Tissue.FLUID] > t2[Tissue.LESION] > t2[Tissue.GREY] > t2[Tissue.WHITE]
    assert flair[Tissue.LESION] > flair[Tissue.GREY] > flair[Tissue.WHITE] > flair[Tissue.FLUID]
    assert t1.max() == t2.max() == flair.max() == 1


def test_later_echoes_decay_with_each_tissues_t2():
    ratio = tissue_signals("t2", 40.0) / tissue_signals("t2")
    assert ratio[Tissue.WHITE] == pytest.approx(np.exp(-40 / 72))
    assert ratio[Tissue.FLUID] == pytest.approx(np.exp(-40 / 1500))


def test_an_unknown_weighting_names_the_known_ones():
    with pytest.raises(ValueError, match="'t3', expected one of t1, t2, flair, pd"):
        tissue_signals("t3")


def test_neighbouring_slices_differ_and_are_alike(head):
    a, b, c = (head.image(slice_points((64, 64), z=z), tissue_signals("t1"), 2 / 64) for z in (0.0, 0.05, 0.4))
    near, far = np.linalg.norm(a - b), np.linalg.norm(a - c)
    assert 0 < near < far


def test_contrasts_come_together_as_they_come_alone(head):
    points, signals = slice_points((32, 32)), np.stack([tissue_signals("t1"), tissue_signals("t2")])
    both = head.image(points, signals, 2 / 32)
    np.testing.assert_allclose(both[1], head.image(points, signals[1], 2 / 32))


def test_the_narrow_end_of_the_head_is_in_front_at_row_zero(head):
    inside = head.fractions(slice_points((128, 128)), 2 / 128).sum(axis=0)
    assert inside[24].sum() < inside[128 - 24].sum()


def test_the_same_seed_draws_the_same_head():
    images = [
        Head.draw(np.random.default_rng(s)).image(slice_points((32, 32)), tissue_signals("t1"), 2 / 32)
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(images[0], images[1])
    assert not np.allclose(images[0], images[2])
