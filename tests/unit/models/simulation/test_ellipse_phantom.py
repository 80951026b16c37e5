import numpy as np
import pytest
from scipy import integrate

from echotrain.models.simulation.ellipse_phantom import (
    ELLIPSOID_DTYPE,
    SHEPP_LOGAN,
    ellipse_kspace,
    ellipsoid_image,
    ellipsoid_kspace,
    sampled_kspace,
    slice_through,
)
from echotrain.models.simulation.phantom_grid import pixel_centres, slice_points

ELLIPSE = np.array([(1.5, (0.4, 0.2, 0.3), (0.1, -0.2, 0.05), 30.0)], ELLIPSOID_DTYPE)


def fft(image):
    return np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(image), norm="ortho"))


def test_the_closed_form_at_k_zero_is_area_and_volume_times_intensity():
    zero = np.zeros(1)
    assert ellipse_kspace(ELLIPSE, zero, zero)[0] == pytest.approx(1.5 * np.pi * 0.4 * 0.2)
    assert ellipsoid_kspace(ELLIPSE, zero, zero, zero)[0] == pytest.approx(1.5 * 4 / 3 * np.pi * 0.4 * 0.2 * 0.3)


def test_the_ellipsoid_transform_has_no_cancellation_near_k_zero():
    k = np.array([1e-4, 2e-3, 3e-3, 5e-3])
    values = ellipsoid_kspace(ELLIPSE, k, 0 * k, 0 * k) * np.exp(2j * np.pi * k * 0.1)
    full = 1.5 * 4 / 3 * np.pi * 0.4 * 0.2 * 0.3
    extent = (0.4 * np.cos(np.pi / 6)) ** 2 + (0.2 * np.sin(np.pi / 6)) ** 2
    np.testing.assert_allclose(values.imag, 0, atol=1e-9)
    np.testing.assert_allclose(values.real, full * (1 - (2 * np.pi * k) ** 2 * extent / 10), rtol=1e-7)


def test_the_closed_form_agrees_with_numerical_integration_of_a_turned_ellipse():
    kx, ky = 1.3, -0.7
    a, b, angle, (cx, cy) = 0.4, 0.2, np.deg2rad(30), (0.1, -0.2)

    def integrand(t, r):  # over the unit disc, mapped onto the ellipse; y to the front turns into y to the back
        u, v = a * r * np.cos(t), b * r * np.sin(t)
        x, y = cx + u * np.cos(angle) - v * np.sin(angle), cy + u * np.sin(angle) + v * np.cos(angle)
        return 1.5 * a * b * r * np.exp(-2j * np.pi * (kx * x - ky * y))

    parts = [
        integrate.dblquad(lambda t, r, part=part: getattr(integrand(t, r), part), 0, 1, 0, 2 * np.pi)[0]
        for part in ("real", "imag")
    ]
    value = ellipse_kspace(ELLIPSE, np.array([kx]), np.array([ky]))[0]
    assert value == pytest.approx(complex(*parts), rel=1e-9)


def test_the_closed_form_of_shepp_logan_agrees_with_the_fft_of_its_image_at_low_frequencies():
    n, fine = 64, 16
    image = ellipsoid_image(SHEPP_LOGAN, slice_points((n * fine, n * fine)))
    expected = fft(image)[n * fine // 2 - 8 : n * fine // 2 + 8, n * fine // 2 - 8 : n * fine // 2 + 8] / fine
    got = sampled_kspace(slice_through(SHEPP_LOGAN, 0.0), (n, n), (2.0, 2.0))[
        n // 2 - 8 : n // 2 + 8, n // 2 - 8 : n // 2 + 8
    ]
    # pixels on the edge of an ellipse are all or nothing: 1e-3 at 1024 pixels
    assert np.linalg.norm(got - expected) / np.linalg.norm(expected) < 1e-3


def test_the_closed_form_in_three_dimensions_agrees_with_the_fft_at_low_frequencies():
    n = 96
    axis = pixel_centres(n)
    image = ellipsoid_image(SHEPP_LOGAN, (axis[None, None, :], axis[None, :, None], axis[:, None, None]))
    k = (np.arange(8) - 4) / 2
    got = ellipsoid_kspace(SHEPP_LOGAN, k[None, None, :], k[None, :, None], k[:, None, None]) * n**1.5 / 8
    middle = slice(n // 2 - 4, n // 2 + 4)
    expected = fft(image)[middle, middle, middle]
    assert np.linalg.norm(got - expected) / np.linalg.norm(expected) < 1e-2


def test_readout_oversampling_samples_the_same_transform_more_finely():
    plain = sampled_kspace(SHEPP_LOGAN, (32, 32), (2.0, 2.0))
    fine = sampled_kspace(SHEPP_LOGAN, (32, 64), (2.0, 4.0))
    np.testing.assert_allclose(fine[:, ::2] * np.sqrt(2), plain, atol=1e-12)


def test_the_middle_plane_is_the_two_dimensional_phantom_and_others_are_smaller():
    middle, high = slice_through(SHEPP_LOGAN, 0.0), slice_through(SHEPP_LOGAN, 0.5)
    assert len(middle) == 10
    np.testing.assert_array_equal(middle["axes"], SHEPP_LOGAN["axes"])
    assert len(high) == 2
    assert (high["axes"][:, 0] < SHEPP_LOGAN["axes"][:2, 0]).all()
    np.testing.assert_allclose(
        ellipsoid_image(high, slice_points((64, 64))), ellipsoid_image(SHEPP_LOGAN, slice_points((64, 64), z=0.5))
    )


def test_the_phantom_stands_upright_with_its_three_small_ellipses_at_the_back():
    image = ellipsoid_image(SHEPP_LOGAN, slice_points((128, 128)))
    assert image[round(64 + 0.605 * 64), round(64 - 0.08 * 64)] == pytest.approx(0.3)
    assert image[round(64 - 0.605 * 64), round(64 - 0.08 * 64)] == pytest.approx(0.2)
    assert image[round(64 - 0.35 * 64), 64] == pytest.approx(0.3)
