"""What the simulated scanner is asked to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..engine.errors import ConfigurationError
from ..models.simulation.trajectories import spiral_samples

Size = Annotated[int, Field(ge=8, le=2048)]
Count = Annotated[int, Field(ge=1, le=4096)]
Fraction = Annotated[float, Field(gt=0.5, le=1)]
Positive = Annotated[float, Field(gt=0)]


class ScanProtocol(BaseModel):
    """A scan of a phantom, Cartesian, radial or spiral."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    phantom: Literal["brain", "shepp_logan", "file"] = "brain"
    """What lies in the scanner: the brain-like head, the Shepp-Logan ellipsoids, or images from a file."""
    phantom_file: Path | None = None
    """For ``file``: HDF5 with a dataset ``image`` (slice, row, column), .npy of (row, column) or (slice, row, column),
    or a grey PNG. Resampled to the matrix; 1 is the brightest pixel."""
    first_image: int = Field(0, ge=0)
    """For ``file``: number of the image that becomes slice 0."""
    weighting: Literal["t1", "t2", "flair", "pd"] = "t1"
    """Contrast of the brain phantom."""
    lesions: int = Field(4, ge=0, le=100)
    """White-matter lesions of the brain phantom."""
    phase_strength: float = Field(1.0, ge=0)
    """Scale of the object's smooth phase, in rad across a head."""
    exact_kspace: bool = False
    """Shepp-Logan in 2-D with uniform coils only: k-space is the closed-form Fourier transform of the ellipses, with
    the ringing that a scanner would see; otherwise it is the FFT of the image on the encoded grid."""

    trajectory: Literal["2d", "3d", "radial", "spiral"] = "2d"
    """Cartesian multi-slice 2-D, or 3-D with a second phase encoding across the slices; or multi-slice radial or
    spiral."""
    spokes: Count | None = None
    """Spokes of a radial slice; pi / 2 times the pixels of the longer axis, which is fully sampled, if not given."""
    angles: Literal["uniform", "golden"] = "uniform"
    """Angles of the spokes: evenly over half a turn, or each by the golden angle from the one before."""
    interleaves: Count = 16
    """Arms of a spiral slice; however many, their turns together lie one cycle per field of view apart."""
    undersampling: float = Field(1.0, ge=1, le=64)
    """How many times further apart the turns of a spiral lie outside the centre of k-space, which is as wide as
    ``calibration``."""
    matrix: tuple[Size, Size] = (256, 256)
    """Pixels along readout (x) and phase encoding (y)."""
    slices: Count = 8
    """Slices, or partitions of a 3-D scan."""
    field_of_view_mm: tuple[Positive, Positive] = (220.0, 220.0)
    """Along x and y; what of the object lies outside is left out."""
    slice_thickness_mm: Positive = 5.0
    """Of a slice or partition."""
    slice_gap_mm: float = Field(1.0, ge=0)
    """Between slices of a 2-D scan."""
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the middle of the slices lies in the patient's coordinates (left, back, head); the object moves with it."""

    coils: int = Field(8, ge=1, le=256)
    """Receive channels."""
    coil_model: Literal["loops", "uniform"] = "loops"
    """Biot-Savart loops around the head, or the same sensitivity for every channel and place."""
    coil_correlation: float = Field(0.5, ge=0, le=1)
    """Share of the noise that comes from the patient and so is correlated between coils."""

    snr: Positive | None = 30.0
    """Mean signal of the object (root sum of squares over coils, fully sampled image) over the standard deviation of
    the real part of one coil's noise; None for a scan without noise."""
    noise_std: float | None = Field(None, ge=0)
    """Instead of ``snr``: that standard deviation itself, the mean over coils, in k-space units."""
    noise_readouts: int = Field(4, ge=0, le=4096)
    """Readouts of the noise measurement that comes first; 0 for none."""
    noise_samples: int = Field(512, ge=1, le=65535)
    """Samples of a noise readout."""
    noise_bandwidth: float = Field(0.793, gt=0, le=1)
    """Equivalent noise bandwidth of the receiver relative to 1 / dwell time: the noise measurement, which has the whole
    receiver band, is quieter by it than the passband where the images are."""
    noise_dwell_us: Positive | None = None
    """Dwell time of the noise measurement; that of the imaging readouts if not given."""

    acceleration: int = Field(2, ge=1, le=64)
    """R along y; 1 for radial and spiral scans, which ``spokes`` and ``undersampling`` undersample."""
    acceleration_z: int = Field(1, ge=1, le=64)
    """R along z of a 3-D scan."""
    caipi_shift: int = Field(0, ge=0)
    """By how many lines the pattern of a 3-D scan moves along y from partition to partition."""
    mask: Literal["equispaced", "random", "poisson"] = "equispaced"
    """Which lines are acquired: every R-th, at random and denser about the centre, or at random at a distance."""
    calibration: int = Field(24, ge=0)
    """Calibration lines along y (and z in 3-D); none are acquired without acceleration. Of an undersampled spiral, the
    diameter of the fully sampled centre in cycles per field of view."""
    calibration_mode: Literal["embedded", "separate", "interleaved"] = "embedded"
    """Among the imaging lines, in a scan before them, or embedded with the pattern shifting by a line each
    repetition."""
    partial_fourier: Fraction = 1.0
    """Fraction of the phase encoding lines that is acquired; the early ones are left out."""
    asymmetric_echo: Fraction = 1.0
    """Fraction of the readout that is acquired; the early samples are left out."""
    oversampling: int = Field(2, ge=1, le=8)
    """Readout oversampling: the encoded field of view along x is so many times the reconstructed one; samples of
    spokes and spirals lie so many times closer."""

    averages: Count = 1
    """Times that each line is acquired to be averaged."""
    repetitions: Count = 1
    """Times that the whole scan is repeated."""
    contrasts: int = Field(1, ge=1, le=64)
    """Echoes of each excitation."""
    echo_spacing_ms: Positive = 2.0
    """From one contrast to the next."""
    slice_order: Literal["interleaved", "ascending", "descending"] = "interleaved"
    """In which order slices are excited: 0, 2, 4 ... 1, 3, 5 ..., or one after another."""
    slice_loop: Literal["sequential", "every_tr"] = "sequential"
    """Slices one after another, or all of them in each repetition time, so that all finish together at the end."""
    tr_ms: Positive = 5.0
    """From one excitation of a slice to the next."""
    te_ms: Positive = 2.5
    """Time of the first echo that the header gives; the phantoms' contrast is that of ``weighting``."""
    flip_angle_deg: Positive = 15.0
    """That the header gives."""
    bandwidth_hz: Positive = 250.0
    """Receiver bandwidth per pixel; it sets the dwell time."""
    waveforms: bool = False
    """Whether ECG, pulse and breathing curves are sent along."""

    measurement_id: str = Field("echotrain_simulation", min_length=1, max_length=200)
    """Name of the measurement in the header."""
    seed: int = Field(0, ge=0, lt=2**32)
    """The same seed gives the same scan, bit for bit."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.phantom == "file") != (self.phantom_file is not None):
            raise ValueError("phantom 'file' and phantom_file go together: give both or neither")
        if self.exact_kspace and (
            self.phantom != "shepp_logan" or self.three_d or self.coil_model != "uniform" or self.phase_strength
        ):
            raise ValueError(
                "exact_kspace needs phantom='shepp_logan', slices, coil_model='uniform' and phase_strength=0"
            )
        if not self.three_d and (self.acceleration_z > 1 or self.caipi_shift):
            raise ValueError("acceleration_z and caipi_shift need trajectory='3d'")
        if self.noise_std is not None and "snr" in self.model_fields_set and self.snr is not None:
            raise ValueError("give snr or noise_std, not both")
        if (self.contrasts - 1) * self.echo_spacing_ms >= self.excitation_ms:
            raise ValueError(
                f"{self.contrasts} echoes {self.echo_spacing_ms} ms apart do not fit into the {self.excitation_ms} ms "
                "from one excitation to the next; raise tr_ms or lower echo_spacing_ms"
            )
        if self.matrix[0] * self.oversampling > 65535:
            raise ValueError("matrix x oversampling is longer than the 65535 samples that a readout can have")
        return self

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_its_trajectory(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("trajectory") in {"radial", "spiral"}:
            return {"acceleration": 1, **values}
        return values

    @model_validator(mode="after")
    def _follows_its_trajectory(self) -> Self:
        own = (("spokes", "radial"), ("angles", "radial"), ("interleaves", "spiral"), ("undersampling", "spiral"))
        for name, wanted in own:
            if self.trajectory != wanted and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} needs trajectory='{wanted}'")
        if self.cartesian:
            return self
        plain = {"acceleration": 1, "partial_fourier": 1.0, "asymmetric_echo": 1.0, "mask": "equispaced"}
        for name, value in plain.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} needs a Cartesian trajectory, '2d' or '3d'; this one is {self.trajectory}")
        if self.readout_samples > 65535:
            raise ValueError(
                f"a readout would have {self.readout_samples} samples, at most 65535 are possible; raise interleaves "
                "or lower oversampling"
            )
        return self

    @property
    def accelerated(self) -> bool:
        """Whether lines are left out, so that calibration lines are needed."""
        return self.acceleration * self.acceleration_z > 1

    @property
    def three_d(self) -> bool:
        """Whether there is a second phase encoding across the slices."""
        return self.trajectory == "3d"

    @property
    def cartesian(self) -> bool:
        """Whether readouts are lines of a grid."""
        return self.trajectory in {"2d", "3d"}

    @property
    def lines(self) -> int:
        """Readouts of a fully acquired slice or partition: phase encoding lines, spokes or arms."""
        if self.trajectory == "radial":
            return self.spokes or math.ceil(math.pi / 2 * max(self.matrix))
        return self.interleaves if self.trajectory == "spiral" else self.matrix[1]

    @property
    def readout_samples(self) -> int:
        """Samples of a whole readout."""
        if self.trajectory == "spiral":
            return spiral_samples(
                self.interleaves,
                max(self.matrix),
                spacing=1 / self.oversampling,
                undersampling=self.undersampling,
                dense=self.calibration,
            )
        return self.oversampling * (max(self.matrix) if self.trajectory == "radial" else self.matrix[0])

    @property
    def dwell_us(self) -> float:
        """Time of one sample of an imaging readout."""
        return 1e6 / (self.bandwidth_hz * self.matrix[0] * self.oversampling)

    @property
    def excitation_ms(self) -> float:
        """From one excitation to the next, of whatever slice."""
        in_turn = self.slice_loop == "every_tr" and not self.three_d
        return self.tr_ms / (self.slices if in_turn else 1)

    @property
    def slice_distance_mm(self) -> float:
        """From the middle of a slice to that of the next."""
        return self.slice_thickness_mm + (0.0 if self.three_d else self.slice_gap_mm)


def scan_protocol(values: Mapping[str, Any]) -> ScanProtocol:
    """Check values that a user gave.

    Raises
    ------
    ConfigurationError
        A field is unknown or its value cannot be used; the text names each.
    """
    try:
        return ScanProtocol.model_validate(dict(values))
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'protocol'}: {e['msg']}, got {e['input']!r}"[:300]
            for e in error.errors()
        ]
        raise ConfigurationError("the scan protocol cannot be used: " + "; ".join(lines)) from None
