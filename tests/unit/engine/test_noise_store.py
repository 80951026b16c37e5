import numpy as np

from echotrain.engine.noise_store import NoiseMeasurement, NoiseStore


def noise(samples):
    return NoiseMeasurement(np.eye(2, dtype=complex), samples, 5.0)


def test_what_is_kept_is_found_and_replaced():
    store = NoiseStore()
    assert store.find("a") is None
    store.keep("a", noise(1))
    store.keep("a", noise(2))
    assert store.find("a").samples == 2


def test_the_oldest_is_forgotten_first_and_keeping_again_renews():
    store = NoiseStore(capacity=2)
    store.keep("a", noise(1))
    store.keep("b", noise(2))
    store.keep("a", noise(3))
    store.keep("c", noise(4))
    assert store.find("b") is None
    assert store.find("a").samples == 3
    assert store.find("c").samples == 4
