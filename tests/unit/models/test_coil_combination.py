import numpy as np

from echotrain.models import coil_combination
from echotrain.models.coil_combination import combined, root_sum_of_squares, walsh_maps


def smooth_maps(coils, shape):
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape), indexing="ij")
    angle = 2 * np.pi * np.arange(coils) / coils
    maps = np.stack([np.exp(-((x - np.cos(a)) ** 2 + (y - np.sin(a)) ** 2) / 2 + 1j * (a + x * y + z)) for a in angle])
    return maps / np.linalg.norm(maps, axis=0)


def test_root_sum_of_squares_agrees_with_double_precision():
    rng = np.random.default_rng(0)
    images = (rng.standard_normal((8, 2, 30, 31)) + 1j * rng.standard_normal((8, 2, 30, 31))).astype(np.complex64)
    got = root_sum_of_squares(images)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.sqrt((np.abs(images.astype(complex)) ** 2).sum(0)), rtol=1e-6)


def test_strides_of_the_coil_images_do_not_matter():
    rng = np.random.default_rng(0)
    images = (rng.standard_normal((3, 1, 8, 12)) + 1j).astype(np.complex64)
    whole = root_sum_of_squares(images[..., 2:10].copy())
    np.testing.assert_array_equal(root_sum_of_squares(images[..., 2:10]), whole)


def test_walsh_maps_of_a_smooth_object_are_the_true_ones_up_to_a_common_phase():
    maps = smooth_maps(6, (1, 48, 48))
    found = walsh_maps(maps.astype(np.complex64))
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1, atol=1e-5)
    inner = np.abs((found.conj() * maps).sum(0))
    assert inner[:, 4:-4, 4:-4].min() > 0.99


def test_the_adaptive_combination_gives_back_the_object_and_beats_rss_in_the_dark():
    shape = (1, 48, 48)
    rng = np.random.default_rng(1)
    target = np.zeros(shape)
    target[:, 12:36, 12:36] = 10
    maps = smooth_maps(8, shape)
    noise = rng.standard_normal((8, *shape)) + 1j * rng.standard_normal((8, *shape))
    images = (maps * target + noise).astype(np.complex64)
    adaptive = np.abs(combined(images, walsh_maps(images)))
    rss = root_sum_of_squares(images)
    inside, outside = np.s_[:, 16:32, 16:32], np.s_[:, :8, :]
    assert abs(adaptive[inside].mean() - 10) < 0.2
    assert adaptive[outside].mean() < 0.8 * rss[outside].mean()


def test_pixels_without_signal_get_maps_of_zero_and_no_warning():
    found = walsh_maps(np.zeros((3, 1, 8, 8), np.complex64))
    assert not found.any()


def test_single_coils_and_volumes_have_maps_too():
    one = walsh_maps(np.ones((1, 1, 5, 5), np.complex64))
    np.testing.assert_allclose(one, 1, atol=1e-6)
    assert walsh_maps(smooth_maps(3, (6, 7, 8)).astype(np.complex64)).shape == (3, 6, 7, 8)


def test_maps_do_not_depend_on_the_slabs_that_memory_allows(monkeypatch):
    rng = np.random.default_rng(0)
    shape = (3, 5, 21, 16)
    images = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    whole = walsh_maps(images, width=5)
    for slab_bytes in (1, 8 * 9 * 16 * 8, 8 * 9 * 16 * 50):
        monkeypatch.setattr(coil_combination, "_SLAB_BYTES", slab_bytes)
        np.testing.assert_allclose(walsh_maps(images, width=5), whole, atol=1e-4)


def test_the_unit_of_the_images_does_not_matter():
    maps = smooth_maps(4, (1, 16, 16)).astype(np.complex64)
    np.testing.assert_allclose(walsh_maps(maps * np.float32(1e-25)), walsh_maps(maps), atol=1e-4)
