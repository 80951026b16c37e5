import torch

from echotrain.models.training.exponential_average import ExponentialAverage


def network_of(value):
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, value)
    return network


def test_the_average_has_its_closed_form():
    network = network_of(0.0)
    average = ExponentialAverage(network, 0.5)
    steps = range(10, 15)  # late enough that the decay is the given one
    for step in steps:
        torch.nn.init.constant_(network.weight, step)
        average.update(step)
    expected = sum(0.5 * 0.5 ** (14 - step) * step for step in steps)
    torch.testing.assert_close(average.weights["weight"], torch.tensor([[expected]]))


def test_the_first_updates_forget_the_initial_weights_quickly():
    network = network_of(100.0)
    average = ExponentialAverage(network, 0.999)
    torch.nn.init.constant_(network.weight, 0.0)
    left = 100.0
    for step in range(20):
        average.update(step)
        left *= (1 + step) / (10 + step)
    torch.testing.assert_close(average.weights["weight"], torch.tensor([[left]]))
    assert left < 1e-3


def test_the_average_is_in_the_network_only_inside_the_context():
    network = network_of(1.0)
    average = ExponentialAverage(network, 0.9)
    torch.nn.init.constant_(network.weight, 2.0)
    with average.in_place():
        assert network.weight.item() == 1.0
    assert network.weight.item() == 2.0
