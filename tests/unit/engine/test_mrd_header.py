from __future__ import annotations

import contextlib

import h5py
import ismrmrd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echotrain.engine.errors import HeaderError
from echotrain.engine.mrd_header import Limit, parse_header


def change(xml: bytes, old: str, new: str) -> bytes:
    assert old.encode() in xml
    return xml.replace(old.encode(), new.encode())


def test_a_header_says_what_ismrmrd_reads_in_it(build):
    header, theirs = parse_header(build.header), ismrmrd.xsd.CreateFromDocument(build.header)
    encoding, their_encoding = header.encodings[0], theirs.encoding[0]
    for ours, them in [(encoding.encoded, their_encoding.encodedSpace), (encoding.recon, their_encoding.reconSpace)]:
        assert ours.matrix == (them.matrixSize.x, them.matrixSize.y, them.matrixSize.z)
        assert ours.field_of_view == (them.fieldOfView_mm.x, them.fieldOfView_mm.y, them.fieldOfView_mm.z)
    assert encoding.limits == {"kspace_encoding_step_1": Limit(0, 7, 4)}
    assert (encoding.trajectory, encoding.acceleration, encoding.calibration_mode) == ("cartesian", (1, 1), None)
    assert header.notes == ()


def test_a_full_header_is_read(build):
    xml = change(
        build.header,
        "<experimentalConditions>",
        """<measurementInformation><measurementID> m1 </measurementID><patientPosition>HFS</patientPosition>
             <protocolName>T1</protocolName><seriesDescription>t1 ax</seriesDescription>
             <measurementDependency><dependencyType>Noise</dependencyType><measurementID>n1</measurementID>
             </measurementDependency></measurementInformation>
           <acquisitionSystemInformation><systemVendor>Acme</systemVendor><receiverChannels>2</receiverChannels>
             <relativeReceiverNoiseBandwidth>0.79</relativeReceiverNoiseBandwidth></acquisitionSystemInformation>
           <sequenceParameters><TR>500</TR><TE>10</TE><TE>20</TE></sequenceParameters>
           <experimentalConditions>""",
    )
    xml = change(
        xml,
        "<trajectory>",
        """<parallelImaging><accelerationFactor><kspace_encoding_step_1>2</kspace_encoding_step_1>
             <kspace_encoding_step_2>3</kspace_encoding_step_2></accelerationFactor>
             <calibrationMode>Embedded</calibrationMode></parallelImaging><trajectory>""",
    )
    header = parse_header(xml)
    assert (header.measurement_id, header.patient_position) == ("m1", "HFS")
    assert (header.protocol_name, header.series_description) == ("T1", "t1 ax")
    assert header.measurement_dependencies == {"noise": "n1"}
    assert (header.receiver_channels, header.relative_receiver_noise_bandwidth) == (2, 0.79)
    assert header.system == {"systemVendor": "Acme"}
    assert header.sequence == {"TR": (500.0,), "TE": (10.0, 20.0)}
    assert (header.encodings[0].acceleration, header.encodings[0].calibration_mode) == ((2, 3), "embedded")


def test_nuls_at_the_end_and_prefixes_do_not_matter(build):
    prefixed = b"""<i:ismrmrdHeader xmlns:i="http://www.ismrm.org/ISMRMRD"><i:encoding><i:encodedSpace><i:matrixSize>
    <i:x>4</i:x><i:y>4</i:y><i:z>1</i:z></i:matrixSize></i:encodedSpace></i:encoding></i:ismrmrdHeader>"""
    assert parse_header(build.header + b"\0\0") == parse_header(build.header)
    header = parse_header(prefixed)
    assert header.encodings[0].recon.matrix == (4, 4, 1)
    assert header.notes == ("encoding 0 has no reconSpace: the encoded space is used",)


def test_a_trajectory_in_another_case_is_read_and_noted(build):
    header = parse_header(change(build.header, ">cartesian<", ">Cartesian<"))
    assert header.encodings[0].trajectory == "cartesian"
    assert "'Cartesian' is read as 'cartesian'" in header.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</ismrmrdHeader>", "", "not well-formed"),
        ("<trajectory>", "<wrong>", "not well-formed"),
        ('<?xml version="1.0"?>', '<!DOCTYPE a [<!ENTITY b "c">]>', "DTD"),
        ('<?xml version="1.0"?>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">', "DTD"),
        ('<?xml version="1.0"?>', "<?xml version='1.0' encoding='klingon'?>", "not well-formed"),
        ("ismrmrdHeader", "otherHeader", "root element is .*otherHeader"),
        ("encoding>", "coding>", "no <encoding>"),
        ("encodedSpace", "codedSpace", "lacks <encodedSpace>"),
        ("<x>16</x>", "", "lacks <x> in encoding 0 encodedSpace matrixSize"),
        ("<x>16</x>", "<x>sixteen</x>", "<x> is 'sixteen', expected a number"),
        ("<x>400</x>", "<x>nan</x>", "<x> is 'nan', expected a number"),
        ("<x>400</x>", "<x>inf</x>", "<x> is 'inf', expected a number"),
        ("<x>16</x>", "<x>0</x>", r"matrix is \(0, 8, 1\), expected sizes from 1 to 65535"),
        ("<x>16</x>", "<x>-16</x>", "expected sizes from 1"),
        ("<x>16</x>", "<x>65536</x>", "expected sizes from 1"),
        ("<x>16</x>", "<x>" + 400 * "9" + "</x>", "expected sizes from 1"),
        ("<x>16</x>", "<x>" + 5000 * "9" + "</x>", "expected"),
        ("<maximum>7<", "<maximum>8<", "from 0 to 8, but the encoded matrix has only 8 lines"),
        ("<minimum>0<", "<minimum>8<", "expected 0 <= minimum <= maximum"),
        ("<center>4</center>", "", "lacks <center>"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_with_the_reason(build, old, new, words):
    with pytest.raises(HeaderError, match=words):
        parse_header(change(build.header, old, new))


def test_spokes_may_be_more_than_the_encoded_matrix_has_lines(build):
    xml = change(change(build.header, "<maximum>7<", "<maximum>150<"), ">cartesian<", ">radial<")
    assert parse_header(xml).encodings[0].limits["kspace_encoding_step_1"].maximum == 150


def test_a_header_that_is_too_long_is_not_even_read(build):
    with pytest.raises(HeaderError, match="at most 100 are read"):
        parse_header(build.header, max_bytes=100)


def test_deep_nesting_is_refused_and_harms_nothing():
    with pytest.raises(HeaderError):
        parse_header(b"<a>" * 200_000)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_header_raises_only_a_header_error(build, data):
    xml = bytearray(build.header)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(xml) - 1))
        xml[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=10))
    with contextlib.suppress(HeaderError):
        parse_header(bytes(xml))


def test_the_headers_of_real_scans_are_read(data):
    for path in sorted((data / "raw").glob("*.h5")):
        with h5py.File(path) as file:
            xml = bytes(file["dataset/xml"][0])
        header = parse_header(xml)
        assert all(n >= 1 for n in header.encodings[0].encoded.matrix)
        odd = any("Cartesian" in note for note in header.notes)
        assert odd == (path.name == "brain_sim_odd_header.h5")
