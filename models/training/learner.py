"""A network while it learns: the network, the average of its weights, and the optimiser."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..networks.network import Network
from ..simulation.simulated_slices import TrainingBatch
from .checkpoint import optimiser_tensors, prefixed, restore_optimiser, unprefixed
from .errors import DivergedError
from .exponential_average import ExponentialAverage
from .loss import Objective
from .recipe import TrainingTable

_STRIDE = 1_000_003  # keeps the random numbers of one seed's steps apart from those of the next seed


class Learner:
    """Takes steps, and can be taken apart into tensors and put together again, to the bit.

    Parameters
    ----------
    network
        On its device, with its initial weights; trained in place.
    objective
        What is minimised.
    training
        The recipe's table.
    """

    def __init__(self, network: Network, objective: Objective, training: TrainingTable) -> None:
        # convolutions of a few channels in bfloat16 are twice as fast with the channels last
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = ExponentialAverage(network, training.average)
        self._objective = objective
        self._training = training
        self._parameters = list(network.parameters())
        self.device = self._parameters[0].device
        kind = torch.optim.AdamW if training.optimiser == "adamw" else torch.optim.Adam
        self._optimiser = kind(self._parameters, weight_decay=training.weight_decay, fused=True)
        if training.compile:
            for block in network.blocks():
                network.get_submodule(block.path).compile()

    def step(self, number: int, batch: TrainingBatch, learning_rate: float) -> float:
        """Update the weights by the gradient of one batch and return its loss.

        Raises
        ------
        DivergedError
            Loss or gradient is not finite; the weights are as before.
        """
        generator = torch.Generator(self.device).manual_seed(self._training.seed * _STRIDE + number)
        with self._autocast():
            loss = self._objective(self.network, batch, generator)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._parameters, self._training.gradient_clip)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise DivergedError(number, value, float(norm))
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        self._optimiser.step()
        self.average.update(number)
        return value

    def averaged(self) -> dict[str, Tensor]:
        """Return a copy of the network's state with the averaged weights."""
        with self.average.in_place():
            return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def tensors(self) -> dict[str, Tensor]:
        """Return all that later steps depend on, the state of torch's own random numbers too."""
        random = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            **prefixed("network", self.network.state_dict()),
            **prefixed("average", self.average.weights),
            **prefixed("optimiser", optimiser_tensors(self._optimiser)),
            **prefixed("random", random),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` returned."""
        self.network.load_state_dict(unprefixed("network", tensors))
        for name, weights in unprefixed("average", tensors).items():
            self.average.weights[name].copy_(weights)
        restore_optimiser(self._optimiser, self._parameters, unprefixed("optimiser", tensors))
        random = unprefixed("random", tensors)
        torch.set_rng_state(random["cpu"])
        if self.device.type == "cuda" and "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"], self.device)

    def _autocast(self) -> torch.autocast:
        enabled = self._training.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)
