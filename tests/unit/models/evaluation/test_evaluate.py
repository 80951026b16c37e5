import numpy as np
import pytest
import torch
from PIL import Image

from echotrain.models.classical.zero_filled import ZeroFilled
from echotrain.models.evaluation.evaluate import Result, evaluate, summarise
from echotrain.models.evaluation.figure import draw_comparison
from echotrain.models.evaluation.methods import CLASSICAL, find_method
from echotrain.models.evaluation.simulated_cases import simulated_cases
from echotrain.models.model_card import ModelError
from echotrain.models.model_store import ModelStore

CPU = torch.device("cpu")


def test_a_method_is_scored_against_the_reference_of_its_case(heads):
    case = next(iter(simulated_cases(heads, 2.0)))
    (perfect,), images = evaluate("truth", lambda _: 2j * case.reference, case, CPU)
    (zero_filled,), _ = evaluate("zero-filled", ZeroFilled(), case, CPU)
    assert perfect.psnr > 100 > zero_filled.psnr
    assert perfect.ssim > zero_filled.ssim
    assert zero_filled.nrmse > perfect.nrmse
    assert images.shape == (1, 64, 64)
    assert perfect.seconds > 0


def test_rows_are_means_over_slices_in_the_order_they_came_in():
    def result(method, psnr, acceleration=4.0):
        return Result(method, "d", "uniform", acceleration, psnr, psnr / 100, 1 / psnr, seconds=psnr)

    results = [result("b", 30.0), result("a", 20.0), result("b", 34.0), result("a", 20.0), result("b", 10.0, 8.0)]
    rows = summarise(results)
    assert [(row.method, row.acceleration, row.slices) for row in rows] == [("b", 4.0, 2), ("a", 4.0, 2), ("b", 8.0, 1)]
    assert rows[0].psnr.value == 32
    assert rows[0].psnr.interval == (30.0, 34.0)
    assert rows[1].ssim.interval == pytest.approx((0.2, 0.2))
    assert rows[2].psnr.interval is None
    assert rows[0].seconds == 32


def test_all_classical_methods_reconstruct_regular_undersampling(heads):
    case = next(iter(simulated_cases(heads, 2.0, mask="equispaced")))
    for name in ("zero-filled", "cg-sense", "grappa"):
        (result,), image = evaluate(name, find_method(name, ModelStore()), case, CPU)
        assert torch.isfinite(image.abs()).all()
        assert result.psnr > 15, name
    assert {"tv", "l1-wavelet"} < set(CLASSICAL)


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"no method is named 'cg-sens'; did you mean 'cg-sense'\? Known: zero-filled"):
        find_method("cg-sens", ModelStore())


def test_a_figure_shows_each_method_above_its_error(heads, tmp_path):
    reference = torch.from_numpy(heads[0] / 255.0)
    file = tmp_path / "figure.png"
    draw_comparison(file, "head", reference, {"exact": reference * 3j, "none": torch.zeros_like(reference)})
    with Image.open(file) as picture:
        grey = np.asarray(picture.convert("L"))
    height, width = grey.shape
    columns = [grey[: height // 2, i * width // 3 : (i + 1) * width // 3] for i in range(3)]
    dark = [float((column < 128).mean()) for column in columns]
    assert dark[1] == pytest.approx(dark[0], abs=0.03)  # the exact image looks like the reference
    assert dark[2] > dark[0] + 0.1  # that of nothing is black
    error = grey[height // 2 :, width // 3 : 2 * width // 3]
    assert (error < 128).mean() > 0.6  # no error is black
    assert file.stat().st_size < 400_000
