"""The weights that a training begins with, where they are another model's."""

from __future__ import annotations

from pathlib import Path

from ..model_card import ModelError, read_card
from ..model_store import read_weights
from ..networks.diffusion_prior import DiffusionPrior
from ..networks.network import Network
from ..networks.prior_modl import PriorMoDL
from .errors import RecipeError
from .recipe import Recipe

_PARTS = {"admm_net": "start", "diffusion_prior": "denoiser"}  # of a PriorMoDL


def begin_with(folder: Path, network: Network, recipe: Recipe) -> str:
    """Put a model's weights into a network, and return the model's label.

    The model has the network's architecture and options; or

    - it is an ADMM-Net or a prior, and the network a MoDL with a prior's denoiser: either becomes that part of it;
    - it is a prior without attention, and the network one with attention, but the same otherwise: its attention begins
      as nothing.

    Raises
    ------
    RecipeError
        There is no such model, or its weights do not fit.
    """
    try:
        card = read_card(folder)
        weights = read_weights(folder / "weights.safetensors", card)
        if isinstance(network, PriorMoDL) and card.architecture in _PARTS:
            part = _PARTS[card.architecture]
            weights = {**network.state_dict(), **{f"{part}.{name}": w for name, w in weights.items()}}
        if isinstance(network, DiffusionPrior):
            weights = {**network.attention(), **weights}
        network.load_state_dict(weights)
    except (ModelError, RuntimeError) as error:  # torch raises RuntimeError where names or shapes differ
        raise RecipeError(f"recipe {recipe.model.name} cannot begin with the weights in {folder}: {error}") from None
    return card.label
