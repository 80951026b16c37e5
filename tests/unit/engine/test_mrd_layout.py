"""The dtypes against the structures of the ismrmrd package."""

import ctypes

import ismrmrd
import ismrmrd.constants
import numpy as np
import pytest
from ismrmrd.acquisition import AcquisitionHeader, EncodingCounters
from ismrmrd.image import ImageHeader
from ismrmrd.serialization import ISMRMRDMessageID
from ismrmrd.waveform import WaveformHeader

from echotrain.engine.mrd_layout import (
    ACQUISITION_DTYPE,
    DATA_TYPE_CODES,
    DATA_TYPES,
    ENCODING_COUNTERS_DTYPE,
    IMAGE_DTYPE,
    NOT_IMAGING,
    WAVEFORM_DTYPE,
    AcquisitionFlag,
    ImageType,
    MessageId,
)

STRUCTURES = [
    (ACQUISITION_DTYPE, AcquisitionHeader, 340),
    (ENCODING_COUNTERS_DTYPE, EncodingCounters, 34),
    (IMAGE_DTYPE, ImageHeader, 198),
    (WAVEFORM_DTYPE, WaveformHeader, 40),
]


@pytest.mark.parametrize(("dtype", "structure", "size"), STRUCTURES)
def test_a_header_has_the_fields_offsets_and_sizes_of_ismrmrd(dtype, structure, size):
    assert dtype.itemsize == ctypes.sizeof(structure) == size
    assert list(dtype.names) == [name for name, _ in structure._fields_]
    for name in dtype.names:
        field = getattr(structure, name)
        assert (dtype.fields[name][1], dtype.fields[name][0].itemsize) == (field.offset, field.size), name


@pytest.mark.parametrize(("dtype", "structure"), [row[:2] for row in STRUCTURES])
def test_every_byte_of_a_header_is_read_as_ismrmrd_reads_it(dtype, structure):
    raw = bytes((7 * n + 3) % 120 for n in range(dtype.itemsize))  # below 0x7f8 in floats: no NaN
    ours, theirs = np.frombuffer(raw, dtype)[0], structure.from_buffer_copy(raw)
    for name in dtype.names:
        value = getattr(theirs, name)
        if isinstance(value, ctypes.Structure):
            assert ours[name].tobytes() == bytes(value)
        else:
            np.testing.assert_array_equal(ours[name], value if np.isscalar(value) else list(value))


def test_message_ids_are_those_of_ismrmrd():
    theirs = {m.name: m.value for m in ISMRMRDMessageID if m.name != "UNPEEKED"}
    assert theirs.items() <= {m.name: m.value for m in MessageId}.items()


def test_flags_and_image_types_are_those_of_ismrmrd():
    for flag in AcquisitionFlag:
        assert flag == getattr(ismrmrd.constants, f"ACQ_{flag.name}")
    for kind in ImageType:
        assert kind == getattr(ismrmrd.constants, f"IMTYPE_{kind.name}")


def test_a_flag_is_the_bit_that_ismrmrd_sets():
    acquisition = ismrmrd.Acquisition()
    acquisition.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    assert acquisition.flags == AcquisitionFlag.IS_NOISE_MEASUREMENT.bit
    assert NOT_IMAGING & AcquisitionFlag.IS_NOISE_MEASUREMENT.bit
    assert not NOT_IMAGING & AcquisitionFlag.IS_PARALLEL_CALIBRATION_AND_IMAGING.bit


def test_data_types_are_those_of_ismrmrd_but_for_its_64_bit_int():
    from ismrmrd.image import dtype_mapping

    for code, dtype in DATA_TYPES.items():
        if code == ismrmrd.DATATYPE_INT:
            assert dtype == np.int32  # the package maps it to the platform's int; ismrmrd.h says int32_t
        else:
            assert dtype == dtype_mapping[code]
        assert DATA_TYPE_CODES[dtype] == code
