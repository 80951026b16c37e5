import numpy as np
import pytest
import torch
from PIL import Image

from echotrain.models.evaluation.evaluate import evaluate
from echotrain.models.evaluation.figure import draw_comparison
from echotrain.models.evaluation.method import Method, named_method
from echotrain.models.evaluation.methods import CLASSICAL, find_method
from echotrain.models.evaluation.simulated_cases import simulated_cases
from echotrain.models.model_card import ModelError
from echotrain.models.model_store import ModelStore

CPU = torch.device("cpu")


def test_a_method_is_scored_against_the_reference_of_its_case(heads):
    case = next(iter(simulated_cases(heads, 2.0)))
    truth = Method(("truth", "nothing"), lambda _: (2j * case.reference, torch.zeros_like(case.reference)))
    (perfect, nothing), images = evaluate(truth, case, CPU)
    (zero_filled,), _ = evaluate(named_method("zero-filled", ModelStore()), case, CPU)
    assert perfect.psnr > 100 > zero_filled.psnr
    assert perfect.ssim > zero_filled.ssim
    assert zero_filled.nrmse > perfect.nrmse
    assert images["truth"].shape == (1, 64, 64)
    assert perfect.seconds > 0
    assert nothing.seconds is None  # it came with the other
    assert (nothing.method, nothing.nrmse) == ("nothing", 1)
    assert zero_filled.made_by == "ZeroFilled()"


def test_all_classical_methods_reconstruct_regular_undersampling(heads):
    case = next(iter(simulated_cases(heads, 2.0, mask="equispaced")))
    for name in ("zero-filled", "cg-sense", "grappa"):
        (result,), images = evaluate(named_method(name, ModelStore()), case, CPU)
        assert torch.isfinite(images[name].abs()).all()
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


def test_a_figure_is_cut_to_what_the_reference_shows(heads, tmp_path):
    small, wide = torch.from_numpy(heads[0] / 255.0), torch.zeros(64, 192)
    wide[:, 64:128] = small
    files = [tmp_path / "small.png", tmp_path / "wide.png"]
    for file, reference in zip(files, (small, wide), strict=True):
        draw_comparison(file, "head", reference, {"half": reference / 2})
    with Image.open(files[0]) as one, Image.open(files[1]) as other:
        assert one.size == other.size
        apart = np.asarray(one.convert("L"), float) - np.asarray(other.convert("L"), float)
        assert (np.abs(apart) < 10).mean() > 0.97  # their PSNR differs: it is that of all pixels
