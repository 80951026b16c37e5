"""What an image's metadata say of where it came from."""

from __future__ import annotations

from collections.abc import Mapping

from .. import __version__
from .gadget import Context
from .messages import MetaValue
from .records import KSpace, Reconstruction, TrajectoryKSpace


def scan_labels(kspace: KSpace | TrajectoryKSpace) -> Mapping[str, MetaValue]:
    """Return the metadata that follow from the k-space: noise state, completeness, calibration."""
    state = kspace.noise
    return {
        **kspace.meta,
        "EchotrainNoise": f"prewhitened with {state.source}" if state.prewhitened else "not prewhitened",
        "EchotrainComplete": "true" if kspace.complete else "false",
        "EchotrainMissingLines": str(kspace.missing),
        "EchotrainReadouts": str(kspace.readouts),
    }


def engine_labels(context: Context, reconstruction: Reconstruction) -> Mapping[str, MetaValue]:
    """Return the metadata that follow from the engine, the chain and the way of reconstruction."""
    return {
        "EchotrainVersion": __version__,
        "EchotrainSession": context.session,
        "EchotrainChain": context.chain,
        "EchotrainChainHash": context.chain_hash,
        "EchotrainSeed": str(context.seed),
        "EchotrainVariant": reconstruction.variant,
        "EchotrainMethod": reconstruction.method,
        "EchotrainQuantity": reconstruction.quantity,
        "EchotrainUnit": reconstruction.unit,
    }
