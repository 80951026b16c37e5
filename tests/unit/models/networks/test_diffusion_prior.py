"""The preconditioned denoiser of diffusion priors."""

import pytest
import torch

from echotrain.models.networks.build import build
from echotrain.models.networks.noise_conditioned_unet import NoiseConditionedUNet

SMALL = {"channels": [4, 8], "blocks": 1, "embedding": 4, "sigma_data": 0.5}


def images(batch=2, size=(16, 24), seed=0):
    return torch.randn(batch, *size, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sigma", [0.005, 0.3, 80.0])
def test_an_untrained_prior_is_the_wiener_filter_of_white_images(sigma):
    x = images()
    expected = 0.25 / (0.25 + sigma**2) * x
    torch.testing.assert_close(build("diffusion_prior", SMALL).denoise(x, torch.tensor(sigma)), expected)


def test_the_network_within_sees_numbers_of_about_one_at_every_noise_level(make_network):
    prior, seen = make_network("diffusion_prior", sigma_data=0.5), []
    prior.unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for sigma in (0.01, 1.0, 80.0):
        clean = 0.5 * 2**0.5 * images()  # a standard deviation of .5 in each part
        prior.denoise(clean + sigma * 2**0.5 * images(seed=1), torch.tensor(sigma))
        assert 0.9 < float(seen[-1][:, :2].std()) < 1.1
        torch.testing.assert_close(seen[-1][:, 2], torch.full_like(seen[-1][:, 2], sigma).log() / 4)


def test_each_image_has_its_own_noise_level(make_network):
    prior, x, sigmas = make_network("diffusion_prior"), images(), torch.tensor([0.05, 2.0])
    together = prior.denoise(x, sigmas)
    for n in range(2):
        torch.testing.assert_close(together[n : n + 1], prior.denoise(x[n : n + 1], sigmas[n]))
    assert (prior.denoise(x, sigmas.flip(0)) - together).abs().max() > 0.01


def test_an_odd_size_is_that_of_the_image_in_a_padded_one(make_network):
    prior, sigma = make_network("diffusion_prior"), torch.tensor(0.4)
    x = images(1, (13, 21))
    whole = torch.zeros(1, 16, 24, dtype=torch.complex64)
    whole[:, 1:14, 1:22] = x
    torch.testing.assert_close(prior.denoise(x, sigma), prior.denoise(whole, sigma)[:, 1:14, 1:22])


def test_the_denoiser_can_be_differentiated(make_network):
    x = images().requires_grad_()
    make_network("diffusion_prior").denoise(x, torch.tensor(0.4)).abs().sum().backward()
    assert x.grad.abs().min() > 0


def test_attention_begins_as_nothing(make_network):
    without, sigma = make_network("diffusion_prior", sigma_data=0.5), torch.tensor(0.4)
    attentive = build("diffusion_prior", SMALL | {"heads": 2})
    attentive.load_state_dict({**attentive.attention(), **without.state_dict()})
    torch.testing.assert_close(attentive.denoise(images(), sigma), without.denoise(images(), sigma))


def test_attention_adds_means_of_all_places_by_the_cosine_of_query_and_key():
    attention = NoiseConditionedUNet((4, 8), 1, 4, heads=2).attention
    torch.nn.init.normal_(attention.add.weight)
    torch.nn.init.normal_(attention.log_sharpness)
    x = torch.randn(1, 8, 3, 5)
    places = x[0].flatten(1)  # (channels, places)
    query, key, value = (attention.look.weight[:, :, 0, 0] @ places).reshape(3, 2, 4, 15)
    means = []
    for head in range(2):
        lengths = query[head].norm(dim=0)[:, None] * key[head].norm(dim=0)
        cosine = query[head].T @ key[head] / lengths
        shares = (attention.log_sharpness[head].exp() * cosine).softmax(dim=1)
        means.append(value[head] @ shares.T)
    expected = places + attention.add.weight[:, :, 0, 0] @ torch.cat(means)
    torch.testing.assert_close(attention(x), expected.reshape(x.shape), rtol=1e-4, atol=1e-4)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="channels of the coarsest level: got 8, expected a multiple of the 3 heads"):
        build("diffusion_prior", SMALL | {"heads": 3})
