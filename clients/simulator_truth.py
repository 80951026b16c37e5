"""What the simulated scanner looks at: the object, the coils and their noise, known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..engine.errors import ConfigurationError
from ..models.simulation import brain_phantom, ellipse_phantom, simulated_coils, trajectories
from ..models.simulation.phantom_grid import UNIT_MM, fit_to_grid, resize_centred, slice_points, smooth_phase
from ..models.simulation.simulated_acquisition import coil_kspace, coil_samples
from .simulator_images import read_images
from .simulator_protocol import ScanProtocol


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What a perfect reconstruction would find."""

    protocol: ScanProtocol
    images: NDArray[np.complex64]
    """(contrasts, slices, y, x) complex64: the object; the brightest is about 1. Slices are partitions in 3-D."""
    sensitivities: NDArray[np.complex64]
    """(slices, coils, y, x) complex64."""
    noise_covariance: NDArray[np.complex128]
    """(coils, coils): E[n n^H] of a complex k-space sample; zero without noise."""
    noise_std: float
    """Standard deviation of the real part of a k-space sample, the root mean square over coils."""
    sampled: NDArray[np.bool_]
    """(repetitions, kz, ky) bool: imaging lines, without those that only calibrate; ky are spokes or arms, if any."""
    trajectory: NDArray[np.float32] | None = None
    """(spokes or arms, samples, 2) float32: (kx, ky) in cycles per pixel; None for Cartesian scans."""

    @property
    def rss(self) -> NDArray[np.float32]:
        """(contrasts, slices, y, x) float32: magnitude weighted by the root sum of squares of the sensitivities."""
        weight = np.sqrt(np.sum(np.abs(self.sensitivities) ** 2, axis=1))
        return np.asarray(np.abs(self.images) * weight)

    def save(self, path: str | Path) -> None:
        """Write everything to HDF5: datasets as named above with their axes, the protocol as JSON in an attribute.

        Raises
        ------
        ConfigurationError
            The file cannot be written.
        """
        axes = {
            "images": "contrast slice y x",
            "rss": "contrast slice y x",
            "sensitivities": "slice coil y x",
            "noise_covariance": "coil coil",
            "sampled": "repetition kz ky",
        }
        if self.trajectory is not None:
            axes["trajectory"] = "readout sample kx,ky"
        try:
            with h5py.File(path, "w") as file:
                file.attrs["protocol"] = self.protocol.model_dump_json()
                file.attrs["noise_std"] = self.noise_std
                for name, meaning in axes.items():
                    file.create_dataset(name, data=getattr(self, name)).attrs["axes"] = meaning
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error}") from error


def slice_positions(protocol: ScanProtocol) -> NDArray[np.float64]:
    """Return where the middle of each slice or partition lies along z, relative to the scan's centre, in mm.

    Partition n // 2 of a 3-D scan lies at the centre, as the centred FFT has it; 2-D slices are symmetrical about it.
    """
    number = np.arange(protocol.slices)
    middle = protocol.slices // 2 if protocol.three_d else (protocol.slices - 1) / 2
    return np.asarray((number - middle) * protocol.slice_distance_mm)


def make_object(protocol: ScanProtocol, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Return the object, (contrasts, slices, y, x) complex64."""
    nx, ny = protocol.matrix
    lengths = _lengths(protocol)
    images = np.empty((protocol.contrasts, protocol.slices, ny, nx), np.complex64)
    head = brain_phantom.Head.draw(rng, protocol.lesions)
    phase = rng.normal(scale=protocol.phase_strength, size=10)
    pictures = _pictures(protocol)
    echoes = np.arange(protocol.contrasts) * protocol.echo_spacing_ms
    signals = np.stack([brain_phantom.tissue_signals(protocol.weighting, echo) for echo in echoes])
    decay = np.exp(-echoes / 80.0)[:, None, None]  # one T2 of 80 ms, in ms, where the phantom has no tissues
    for number, z in enumerate(slice_positions(protocol) / UNIT_MM):
        points = slice_points((ny, nx), lengths, z)
        if protocol.phantom == "brain":
            magnitude = head.image(points, signals, lengths[1] / nx)
        elif protocol.phantom == "shepp_logan":
            magnitude = decay * ellipse_phantom.ellipsoid_image(ellipse_phantom.SHEPP_LOGAN, points)
        else:
            magnitude = decay * fit_to_grid(pictures[number], ny, nx)
        images[:, number] = magnitude * smooth_phase(points, phase)
    return images


def make_sensitivities(
    protocol: ScanProtocol, rng: np.random.Generator
) -> tuple[NDArray[np.complex64], NDArray[np.complex128]]:
    """Return sensitivities (slices, coils, y, x) complex64 and the noise covariance (coils, coils), mean variance 1."""
    nx, ny = protocol.matrix
    array = simulated_coils.coil_array(protocol.coils, rng)
    covariance = simulated_coils.noise_covariance(array, protocol.coil_correlation)
    maps = np.empty((protocol.slices, protocol.coils, ny, nx), np.complex64)
    for number, z in enumerate(slice_positions(protocol) / UNIT_MM):
        if protocol.coil_model == "uniform":
            uniform = array.gains / np.linalg.norm(array.gains)
            maps[number] = uniform[:, None, None]
        else:
            maps[number] = simulated_coils.sensitivities(array, slice_points((ny, nx), _lengths(protocol), z))
    return maps, covariance


def make_trajectory(protocol: ScanProtocol) -> NDArray[np.float64] | None:
    """Return (spokes or arms, samples, 2) float64, (kx, ky) in cycles per pixel, or None for a Cartesian scan."""
    if protocol.cartesian:
        return None
    if protocol.trajectory == "radial":
        angles = trajectories.spoke_angles(protocol.lines, golden=protocol.angles == "golden")
        return trajectories.radial(angles, protocol.readout_samples)
    return trajectories.spiral(
        protocol.lines,
        max(protocol.matrix),
        spacing=1 / protocol.oversampling,
        undersampling=protocol.undersampling,
        dense=protocol.calibration,
    )


def closed_form(
    protocol: ScanProtocol, trajectory: NDArray[np.float64] | None
) -> tuple[NDArray[np.complex128], NDArray[np.complex64]]:
    """Return the Shepp-Logan phantom's closed-form k-space (slices, ky, encoded kx) and the image that it is of.

    The image, (1, slices, y, x) complex64, is the inverse FFT of the encoded Cartesian k-space: the object as far as
    the encoding sees it. With a trajectory k-space is (slices, readouts, samples).
    """
    nx, ny = protocol.matrix
    columns, (length_y, length_x) = nx * protocol.oversampling, _lengths(protocol)
    planes = [
        ellipse_phantom.slice_through(ellipse_phantom.SHEPP_LOGAN, z) for z in slice_positions(protocol) / UNIT_MM
    ]
    lengths = (length_y, length_x * protocol.oversampling)
    kspace = np.stack([ellipse_phantom.sampled_kspace(plane, (ny, columns), lengths) for plane in planes])
    seen = fft.fftshift(fft.ifft2(fft.ifftshift(kspace, (1, 2)), norm="ortho"), (1, 2))
    if trajectory is not None:
        kx, ky = trajectory[..., 0] * (nx / length_x), trajectory[..., 1] * (ny / length_y)
        scale = np.sqrt(nx * ny) / (length_x * length_y)
        kspace = np.stack([ellipse_phantom.ellipse_kspace(plane, kx, ky) * scale for plane in planes])
    return kspace, resize_centred(seen, (ny, nx)).astype(np.complex64)[None]


def slice_kspace(
    protocol: ScanProtocol,
    images: NDArray[np.complex64],
    maps: NDArray[np.complex64],
    number: int,
    contrast: int,
    trajectory: NDArray[np.float64] | None,
) -> NDArray[np.complex64]:
    """Return what the coils see without noise, (coils, kz, ky, encoded kx) complex64.

    Of one slice with one kz in 2-D, of all partitions in 3-D (``number`` is 0 then); with a trajectory (coils, 1,
    readouts, samples).
    """
    if trajectory is not None:
        return coil_samples(images[contrast, number], maps[number], trajectory)[:, None]
    columns = protocol.matrix[0] * protocol.oversampling
    if protocol.three_d:
        return coil_kspace(images[contrast], maps.transpose(1, 0, 2, 3), columns)
    return coil_kspace(images[contrast, number], maps[number], columns)[:, None]


def noise_level(protocol: ScanProtocol, images: NDArray[np.complex64], maps: NDArray[np.complex64]) -> float:
    """Return the standard deviation of the real part of a k-space sample that the protocol asks for."""
    if protocol.noise_std is not None:
        return protocol.noise_std
    if protocol.snr is None:
        return 0.0
    signal = np.abs(images[0]) * np.sqrt(np.sum(np.abs(maps) ** 2, axis=1))
    return float(signal[signal > 0.1 * signal.max()].mean() / protocol.snr)


def _lengths(protocol: ScanProtocol) -> tuple[float, float]:
    x, y = protocol.field_of_view_mm
    return y / UNIT_MM, x / UNIT_MM


def _pictures(protocol: ScanProtocol) -> NDArray[np.float64]:
    if protocol.phantom_file is None:
        return np.empty((0, 1, 1))
    return read_images(protocol.phantom_file, protocol.first_image, protocol.slices)
