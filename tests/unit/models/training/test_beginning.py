import pytest
import torch

from echotrain.models.model_store import write_model
from echotrain.models.networks.build import build
from echotrain.models.training.beginning import begin_with
from echotrain.models.training.errors import RecipeError

SIZE = {"iterations": 2, "channels": 2, "pools": 1}
ADMM_NET = {"stages": 3, **SIZE}


@pytest.fixture
def admm_net(tmp_path, model_card):
    """Return an ADMM-Net of random weights, and its folder."""
    torch.manual_seed(0)
    network = build("admm_net", ADMM_NET)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.1)
    write_model(
        tmp_path / "theirs", network.state_dict(), model_card("theirs", architecture="admm_net", options=ADMM_NET)
    )
    return network, tmp_path / "theirs"


def test_a_network_begins_with_the_weights_of_one_like_it(admm_net, recipe):
    theirs, folder = admm_net
    ours = build("admm_net", ADMM_NET)
    begin_with(folder, ours, recipe())
    for name, weights in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weights, rtol=0, atol=0)


def test_a_prior_with_attention_begins_with_one_without(tmp_path, model_card, recipe):
    options = {"channels": [4, 8], "blocks": 1, "embedding": 4}
    theirs = build("diffusion_prior", options).state_dict()
    card = model_card("theirs", kind="prior", architecture="diffusion_prior", options=options)
    write_model(tmp_path / "theirs", theirs, card)
    ours = build("diffusion_prior", options | {"heads": 2})
    begin_with(tmp_path / "theirs", ours, recipe())
    for name, weights in theirs.items():
        torch.testing.assert_close(ours.state_dict()[name], weights, rtol=0, atol=0)
    with pytest.raises(RecipeError, match="cannot begin"):
        begin_with(tmp_path / "theirs", build("diffusion_prior", options | {"blocks": 2, "heads": 2}), recipe())


PRIOR = {"channels": [4, 8], "blocks": 1, "embedding": 4}
PRIOR_MODL = {"unrolls": 2, **PRIOR, "start_stages": 3, **{f"start_{name}": value for name, value in SIZE.items()}}


def test_modl_begins_with_an_admm_net_and_the_denoiser_of_a_prior_one_after_the_other(
    admm_net, tmp_path, model_card, recipe
):
    theirs, folder = admm_net
    torch.manual_seed(1)
    prior = build("diffusion_prior", PRIOR)
    torch.nn.init.normal_(prior.unet.last.weight)
    card = model_card("prior", kind="prior", architecture="diffusion_prior", options=PRIOR)
    write_model(tmp_path / "prior", prior.state_dict(), card)
    ours = build("prior_modl", PRIOR_MODL)
    learnt = ours.log_error.detach().clone()
    assert [begin_with(one, ours, recipe()) for one in (folder, tmp_path / "prior")] == ["theirs@1", "prior@1"]
    for name, weights in theirs.state_dict().items():
        torch.testing.assert_close(ours.start.state_dict()[name], weights, rtol=0, atol=0)
    x, sigma = torch.randn(1, 9, 8, dtype=torch.complex64), torch.tensor(0.3)
    torch.testing.assert_close(ours.denoiser.denoise(x, sigma), prior.denoise(x, sigma), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(ours.log_error, learnt, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("prior_modl", {**PRIOR_MODL, "start_stages": 2}),
        ("admm_net", {**ADMM_NET, "stages": 2}),
        ("modl", {"unrolls": 3, **SIZE}),
        ("varnet", {"cascades": 3, "channels": 2, "pools": 1}),
    ],
)
def test_weights_that_do_not_fit_are_refused(admm_net, recipe, architecture, options):
    with pytest.raises(RecipeError, match="recipe tiny cannot begin with the weights in"):
        begin_with(admm_net[1], build(architecture, options), recipe())
