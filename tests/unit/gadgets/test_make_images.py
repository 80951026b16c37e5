import numpy as np
import pytest

from echotrain import __version__
from echotrain.engine.errors import DataError
from echotrain.engine.mrd_layout import ACQUISITION_DTYPE, ImageType
from echotrain.engine.records import Key, Reconstruction
from echotrain.gadgets.make_images import MakeImages


def reconstruction(scans, data=None, *, scan=None, key=None, **options):
    head = np.zeros((), ACQUISITION_DTYPE)
    head["position"], head["patient_table_position"] = (1, 2, 3), (4, 5, 6)
    head["read_dir"], head["phase_dir"], head["slice_dir"] = (0, 1, 0), (0, 0, -1), (1, 0, 0)
    head["measurement_uid"], head["acquisition_time_stamp"], head["physiology_time_stamp"] = 7, 8, (9, 10, 11)
    return Reconstruction(
        key=key or Key(),
        data=np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3) if data is None else data,
        header=head,
        encoding=(scan or scans.Scan()).header.encodings[0],
        **{"method": "fourier+rss", "history": ("one", "two"), **options},
    )


def test_geometry_times_and_counters_go_into_the_header(scans):
    key = Key(repetition=1, set=2, phase=3, contrast=4, slice=5, average=6)
    (out,) = scans.run(scans.Scan(), MakeImages(), reconstruction(scans, key=key))
    head = out.header
    assert tuple(head["matrix_size"]) == (3, 2, 1)
    assert tuple(head["field_of_view"]) == (200, 200, 5)
    assert tuple(head["position"]) == (1, 2, 3)
    assert tuple(head["patient_table_position"]) == (4, 5, 6)
    assert tuple(head["read_dir"]) == (0, 1, 0)
    assert tuple(head["phase_dir"]) == (0, 0, -1)
    assert tuple(head["slice_dir"]) == (1, 0, 0)
    assert tuple(head["physiology_time_stamp"]) == (9, 10, 11)
    numbers = ("measurement_uid", "acquisition_time_stamp", "channels", "data_type", "image_type", "version")
    assert [int(head[name]) for name in numbers] == [7, 8, 1, 5, ImageType.MAGNITUDE, 1]
    counters = ("repetition", "set", "phase", "contrast", "slice", "average")
    assert [int(head[name]) for name in counters] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(out.pixels[0, 0], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("remarks", ["not calibrated: why", ("not calibrated: why", "INCOMPLETE: 3 of 8")])
def test_remarks_stand_in_the_comments(scans, remarks):
    (out,) = scans.run(scans.Scan(), MakeImages(), reconstruction(scans, meta={"EchotrainRemarks": remarks}))
    said = [remarks] if isinstance(remarks, str) else remarks
    assert out.meta["ImageComments"].startswith("; ".join(["fourier+rss, a.u.", *said]))


def test_viewers_and_provenance_find_their_metadata(scans):
    scan = scans.Scan(extra={"series_description": "t1"})
    source = reconstruction(scans, meta={"EchotrainComplete": "false", "EchotrainMissingLines": "3"}, unit="SNR")
    (out,) = scans.run(scan, MakeImages(), source, chain="mine", chain_hash="abc", seed=5, session="s1")
    meta = out.meta
    assert meta["DataRole"] == "Image"
    assert meta["SeriesDescription"] == "t1_fourier+rss"
    assert meta["ImageType"] == ("DERIVED", "PRIMARY", "M", "ECHOTRAIN")
    assert meta["ImageProcessingHistory"] == ("ECHOTRAIN", "one", "two")
    assert meta["ImageRowDir"] == ("0.000000000", "1.000000000", "0.000000000")
    assert meta["ImageColumnDir"] == ("0.000000000", "0.000000000", "-1.000000000")
    assert (meta["WindowCenter"], meta["WindowWidth"]) == ("2.5", "5")
    assert (meta["RescaleSlope"], meta["RescaleIntercept"], meta["Keep_image_geometry"]) == ("1.0", "0.0", "1")
    assert "INCOMPLETE: 3 lines missing" in meta["ImageComments"]
    assert "SNR" in meta["ImageComments"]
    provenance = ("Version", "Chain", "ChainHash", "Seed", "Session", "Variant", "Method", "Quantity")
    got = [meta[f"Echotrain{name}"] for name in provenance]
    assert got == [__version__, "mine", "abc", "5", "s1", "acquired", "fourier+rss", "magnitude"]


def test_series_differ_by_variant_method_quantity_and_matrix_and_count_their_images(scans):
    other = np.zeros((1, 1, 4, 4), np.float32)
    images = [
        reconstruction(scans),
        reconstruction(scans, method="sense"),
        reconstruction(scans),
        reconstruction(scans, variant="worst"),
        reconstruction(scans, other),
        reconstruction(scans),
    ]
    out = scans.run(scans.Scan(), MakeImages(), *images)
    numbers = [(int(i.header["image_series_index"]), int(i.header["image_index"])) for i in out]
    assert numbers == [(0, 1), (1, 1), (0, 2), (2, 1), (3, 1), (0, 3)]
    assert out[3].meta["SeriesDescription"] == "echotrain_fourier+rss_worst"


def test_the_window_is_the_first_images_in_rescaled_units(scans):
    first = reconstruction(scans, np.full((1, 1, 2, 2), 100, np.int16), meta={"RescaleSlope": "0.5"})
    brighter = reconstruction(scans, np.full((1, 1, 2, 2), 300, np.int16), meta={"RescaleSlope": "0.5"})
    empty = reconstruction(scans, np.zeros((1, 1, 2, 2), np.int16))
    out = scans.run(scans.Scan(), MakeImages(), empty, first, brighter)
    assert [(i.meta["WindowCenter"], i.meta["WindowWidth"]) for i in out] == [("0.5", "1"), ("25", "50"), ("25", "50")]
    assert out[1].meta["RescaleSlope"] == "0.5"


def test_complex_images_and_maps_are_typed_as_what_they_are(scans):
    whole = reconstruction(scans, np.full((1, 1, 2, 2), 3 + 4j, np.complex64), quantity="complex")
    chart = reconstruction(scans, quantity="t1", unit="ms")
    out = scans.run(scans.Scan(), MakeImages(), whole, chart)
    assert [int(i.header["image_type"]) for i in out] == [ImageType.COMPLEX, ImageType.REAL]
    assert [int(i.header["data_type"]) for i in out] == [7, 5]
    assert out[0].meta["WindowWidth"] == "5"
    assert out[1].meta["DataRole"] == ("Quantitative", "t1")
    assert out[1].meta["EchotrainUnit"] == "ms"


def test_what_the_scan_does_not_say_is_assumed_in_the_open(scans):
    scan = scans.Scan(recon_fov=(0, 0, 0), extra={"notes": ("something was odd",)})
    source = reconstruction(scans, scan=scan)
    source.header["read_dir"] = 0
    (out,) = scans.run(scan, MakeImages(), source)
    assert tuple(out.header["field_of_view"]) == (8, 8, 1)
    assert tuple(out.header["phase_dir"]) == (0, 1, 0)
    for note in ("something was odd", "no directions", "pixels are taken as 1 mm"):
        assert note in out.meta["ImageComments"]


@pytest.mark.parametrize("data", [np.zeros((2, 2), np.float32), np.zeros((1, 1, 2, 2), np.int64)])
def test_what_is_no_mrd_image_is_refused(scans, data):
    with pytest.raises(DataError, match=r"expected \(channels, z, y, x\)"):
        scans.run(scans.Scan(), MakeImages(), reconstruction(scans, data))
