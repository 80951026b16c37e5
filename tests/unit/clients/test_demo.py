import asyncio
import json
from types import SimpleNamespace

import pytest
from PIL import Image as Picture

from echotrain.clients import demo
from echotrain.clients.perturbation_text import parse_perturbation
from echotrain.clients.scan_file import write_scan
from echotrain.clients.simulator import ScanProtocol, simulate
from echotrain.engine.errors import ConfigurationError
from echotrain.engine.messages import Progress

SMALL = ScanProtocol(matrix=(32, 32), slices=2, coils=4, acceleration=1, snr=100, tr_ms=1)
NO_IMAGE = '[[chain]]\ngadget = "discard"\nkinds = ["readouts"]'


def run(output, *, chain="default", scan=None, perturbation=None):
    told = []
    report = asyncio.run(demo.run_demo(output, scan, chain, lambda *what: told.append(what), perturbation))
    return report, told


@pytest.fixture(autouse=True)
def _small_scan(monkeypatch):
    monkeypatch.setattr(demo, "PROTOCOL", SMALL)


def test_a_simulated_scan_is_shown_beside_its_phantom_and_its_error(tmp_path):
    report, told = run(tmp_path)
    ((name, error),) = report.errors
    assert name == "fourier rss"
    assert 0 < error < 0.05
    assert report.correlation is None
    assert (report.readouts, report.images) == (4 + 2 * 32, 2)
    with Picture.open(report.montage_file) as picture:
        assert picture.width == 3 * 260 + 4  # phantom, image and error
    table = json.loads((tmp_path / "report.json").read_text())
    assert table["error of fourier rss"] == f"{100 * error:.1f} % (NRMSE)"
    assert ("images", 2, 2, "2 images") in told


def test_a_scan_is_sent_once_more_perturbed(tmp_path):
    report, told = run(tmp_path, perturbation=parse_perturbation("noise:level=20"))
    (clean, error), (noisy, more) = report.errors
    assert (clean, noisy) == ("fourier rss, clean", "fourier rss, noise")
    assert more > 2 * error
    assert report.images == 4
    assert ("images, noise", 2, 2, "2 images") in told
    with Picture.open(report.montage_file) as picture:
        assert picture.height > 3 * 260  # two slices, twice


def test_a_file_is_shown_without_a_truth(tmp_path):
    scan = simulate(SMALL)
    write_scan(tmp_path / "scan.h5", scan.header, scan.messages())
    (tmp_path / "truth.h5").touch()
    report, _ = run(tmp_path, scan=tmp_path / "scan.h5")
    assert report.errors == ()
    assert not (tmp_path / "truth.h5").exists()
    with Picture.open(report.montage_file) as picture:
        assert picture.width == 2 * 260 + 4  # two slices


def test_a_chain_that_gives_no_image_is_reported(tmp_path):
    with pytest.raises(ConfigurationError, match="gave no image"):
        run(tmp_path, chain=NO_IMAGE)


def test_progress_of_slices_adds_up():
    told = []
    watched = demo._Watched("", SimpleNamespace(), 3, 0, lambda *what: told.append(what))
    for done, total, text in ((5, 20, "slice 0"), (20, 20, "slice 0"), (10, 40, "slice 1")):
        watched.take(Progress("reconstruct_diffusion", done, total, text))
    assert told == [
        ("reconstruct", 0.25, 3, "slice 0, step 5 of 20"),
        ("reconstruct", 1.0, 3, "slice 0, step 20 of 20"),
        ("reconstruct", 1.25, 3, "slice 1, step 10 of 40"),
    ]


def test_a_latency_of_seconds_is_told_in_seconds():
    values = {
        "readouts": 1,
        "mebibytes": 1.0,
        "seconds": 1.0,
        "images": 1,
        "errors": (),
        "correlation": 0.5,
        "flags": (),
    }
    files = {"chain": "c", "images_file": "i", "montage_file": "m"}
    rows = [dict(demo.DemoReport(latency_ms=ms, **values, **files).rows()) for ms in (999.94, 1000.0, None)]
    assert [row["last readout to image"] for row in rows] == ["999.9 ms (median)", "1.0 s (median)", "unknown"]
    assert rows[0]["error and uncertainty"] == "0.50 (rank correlation over the head)"
