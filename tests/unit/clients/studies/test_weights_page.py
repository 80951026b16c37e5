from echotrain.clients.studies.finding import Finding
from echotrain.clients.studies.weights_page import ARCHITECTURES, weights_parts

PSNR, ERROR = "PSNR by coils, dB", "error by region, %"


def test_generations_stand_beside_each_other_and_classical_methods_once():
    findings = [
        Finding("first", PSNR, "8", "tv", 33.0),
        Finding("first", PSNR, "8", "net@1", 35.0),
        Finding("second", PSNR, "8", "net@2", 37.0),
        Finding("second", PSNR, "8", "tv", 33.0),
        Finding("first", PSNR, "8", "late@1", 31.0),
    ]
    lines = weights_parts(findings)[PSNR].splitlines()
    assert lines[0] == PSNR
    assert lines[2] == "|  | tv | late@1, first | net@1, first | net@2, second |"
    assert lines[4] == "| 8 | 33.00 | 31.00 | 35.00 | **37.00** |"


def test_the_least_error_is_the_best_and_what_was_not_measured_is_left_out():
    findings = [Finding("first", ERROR, "air", "tv", 2.0), Finding("first", ERROR, "air", "net@1", 1.234)]
    findings.append(Finding("first", ERROR, "edges", "tv", 12.345))
    lines = weights_parts(findings)[ERROR].splitlines()
    assert lines[4:] == ["| air | 2 | **1.23** |", "| edges | 12.3 |  |"]


def test_architectures_have_a_row_each():
    findings = [
        Finding("first", ARCHITECTURES, "net@1 (unet)", "parameters", 481088),
        Finding("first", ARCHITECTURES, "net@1 (unet)", "MiB", 0.92),
    ]
    assert weights_parts(findings)[ARCHITECTURES].splitlines()[-1] == "| net@1 (unet), first | 481,088 | 0.92 |"
