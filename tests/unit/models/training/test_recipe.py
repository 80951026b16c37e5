from pathlib import Path

import pytest

from echotrain import models
from echotrain.models.networks.build import build
from echotrain.models.training.errors import RecipeError
from echotrain.models.training.recipe import load_recipe

TEXT = """
[model]
name = "a-name"
architecture = "unet"
[data]
images = "images/brains_train.h5"
validation = ["cheng-045"]
[acquisition]
crop = [96, 128]
acceleration = [8.0, 8.0]
[training]
steps = 100
batch = 4
learning_rate = 1e-3
"""
SHIPPED = sorted((Path(models.__file__).parent / "recipes").glob("*.toml"))


@pytest.fixture
def load(tmp_path):
    def read(text):
        file = tmp_path / "recipe.toml"
        file.write_text(text)
        return load_recipe(file)

    return read


def test_a_recipe_is_read_with_its_defaults(load):
    recipe = load(TEXT)
    assert recipe.acquisition.crop == (96, 128)
    assert recipe.training.average == 0.999
    assert recipe.model.options == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("batch = 4", "batch = 0", "training.batch: got 0; input should be greater than or equal to 1"),
        ("batch = 4", 'batch = "4"', "training.batch: got '4'"),
        ("batch = 4", "", "training.batch is missing"),
        ("batch = 4", "batch = 4\nbach = 4", "got training.bach; did you mean 'batch'? Known: steps, batch,"),
        ("batch = 4", 'batch = 4\nloss = "l3"', "'l1', 'l2', 'l1_ssim', 'sure', 'denoising'"),
        ("batch = 4", 'batch = 4\nloss = "sure"', "got the loss 'sure' with unet, acceleration (8.0, 8.0)"),
        ("crop", "crops", "got acquisition.crops; did you mean 'crop'?"),
        ("[8.0, 8.0]", "[8.0, 2.0]", "acceleration is (8.0, 2.0), expected (lowest, highest)"),
        ('"a-name"', '"../../etc"', "model.name: got '../../etc'"),
        ("[training]", "[trainings]", "got trainings; did you mean 'training'?"),
        ("[training]", "[training", "cannot be read"),
    ],
)
def test_a_faulty_recipe_says_what_it_got_and_what_is_known(load, old, new, expected):
    with pytest.raises(RecipeError) as caught:
        load(TEXT.replace(old, new, 1))
    assert expected in str(caught.value)


def test_all_faults_are_named_at_once(load):
    with pytest.raises(RecipeError) as caught:
        load(TEXT.replace("batch = 4", "batch = 0").replace("steps = 100", "steps = 0"))
    assert "training.batch" in str(caught.value)
    assert "training.steps" in str(caught.value)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_recipe_can_be_built_and_has_its_models_name(file):
    recipe = load_recipe(file)
    assert recipe.model.name == file.stem
    build(recipe.model.architecture, recipe.model.options)
