"""Networks by name, from options that a recipe or a model card holds."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from .admm_net import ADMMNet
from .diffusion_prior import DiffusionPrior
from .irim import IRIM
from .modl import MoDL
from .network import Network
from .prior_modl import PriorMoDL
from .resunetpp import ResUNetPlusPlus
from .sure_denoiser import SureDenoiser
from .unet import UNet
from .varnet import VarNet

ARCHITECTURES: Mapping[str, type[Network]] = MappingProxyType(
    {
        "unet": UNet,
        "resunetpp": ResUNetPlusPlus,
        "varnet": VarNet,
        "irim": IRIM,
        "modl": MoDL,
        "prior_modl": PriorMoDL,
        "admm_net": ADMMNet,
        "sure_denoiser": SureDenoiser,
        "diffusion_prior": DiffusionPrior,
    }
)
"""Every network that there is, by the name that recipes and model cards use."""


def build(architecture: str, options: Mapping[str, Any]) -> Network:
    """Make an untrained network.

    Parameters
    ----------
    architecture
        One of ``ARCHITECTURES``.
    options
        Keyword arguments of its constructor, plain values as TOML and JSON have them; what is left out is default.

    Raises
    ------
    ValueError
        No such architecture or option, or a value that the option does not take.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"got the architecture {architecture!r}, known: {', '.join(ARCHITECTURES)}")
    network = ARCHITECTURES[architecture]
    known = tuple(inspect.signature(network).parameters)
    for unknown in options.keys() - set(known):
        raise ValueError(f"{architecture}: got the option {unknown!r}, known: {', '.join(known) or 'none'}")
    hints = get_type_hints(network.__init__, include_extras=True)
    return network(**{name: _checked(architecture, name, value, hints[name]) for name, value in options.items()})


def _checked(architecture: str, name: str, value: Any, hint: Any) -> Any:
    try:
        # by JSON, because only there a list may stand for a tuple while "8" may not stand for 8
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        complaint = error.errors()[0]["msg"]
        raise ValueError(f"{architecture}: got {name} = {value!r}, expected: {complaint}") from None
