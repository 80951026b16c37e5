import torch

from echotrain.models.samplers.noise import batch_noise, item_noise


def test_complex_noise_has_unit_variance_in_each_part():
    noise = batch_noise(torch.Generator().manual_seed(0))(torch.zeros(1, 100_000, dtype=torch.complex64))
    assert abs(float(noise.real.var()) - 1) < 0.02
    assert abs(float(noise.imag.var()) - 1) < 0.02
    assert abs(float((noise.real * noise.imag).mean())) < 0.02


def test_an_item_gets_the_same_noise_in_every_batch():
    def generators(seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    zeros = torch.zeros(3, 4, 5, dtype=torch.complex64)
    together, alone = item_noise(generators([5, 6, 7])), item_noise(generators([6]))
    for _ in range(2):
        torch.testing.assert_close(together(zeros)[1], alone(zeros[:1])[0], rtol=0, atol=0)


def test_noise_is_new_with_every_call():
    draw = batch_noise(torch.Generator().manual_seed(0))
    assert not torch.equal(draw(torch.zeros(1, 8)), draw(torch.zeros(1, 8)))
