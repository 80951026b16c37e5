"""Trained models by name, read from folders, verified, and loaded once for all who use them."""

from __future__ import annotations

import difflib
import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .defaults import own_name
from .model_card import ModelCard, ModelError, read_card, write_card
from .model_readme import write_readme

if TYPE_CHECKING:  # torch starts slowly: names and cards are had without it
    import torch
    from torch import Tensor

    from .networks.network import Network
    from .runtimes.loaded_model import LoadedModel
    from .runtimes.loaded_prior import LoadedPrior
    from .runtimes.runtime import RuntimeName

SHIPPED = Path(__file__).resolve().parent / "weights"
"""The models that come with echotrain."""
WEIGHTS = "weights.safetensors"
_NAME = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})(?:@([1-9][0-9]{0,8}))?")


class ModelStore:
    """The models of some folders, each ``NAME/{weights.safetensors, card.toml, README.md, curves.csv, curves.png}``.

    What is loaded is kept, and shared by all callers: a model is held in memory once per device and runtime.

    Parameters
    ----------
    folders
        Searched in order.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._loading: defaultdict[tuple[object, ...], threading.Lock] = defaultdict(threading.Lock)
        self._loaded: dict[tuple[object, ...], LoadedModel | LoadedPrior] = {}

    def names(self, kind: Literal["supervised", "prior"] | None = None) -> tuple[str, ...]:
        """Return all names, or those of a kind, sorted."""
        return tuple(sorted(name for name in self._found() if kind is None or self.card(name).kind == kind))

    def card(self, name: str) -> ModelCard:
        """Return a model's card.

        Parameters
        ----------
        name
            ``NAME``, or ``NAME@VERSION`` to have that version or none; ``default-supervised`` and ``default-prior``
            are the shipped models of ``defaults``.

        Raises
        ------
        ModelError
            There is no such model (the message lists the known ones) or its card is not in order.
        """
        return self._open(name)[1]

    def folder(self, name: str) -> Path:
        """Return the folder of a model, where its calibrations are too; arguments and errors as ``card``."""
        return self._open(name)[0]

    def network(self, name: str) -> Network:
        """Build a model's network from card and weights, in float32 on the CPU, for evaluation.

        Raises
        ------
        ModelError
            As ``card``; or the weights are missing, are not those that the card describes, or fit no known network.
        """
        folder, card = self._open(name)
        return _network(card, read_weights(folder / WEIGHTS, card))

    def load(
        self, name: str, *, device: str = "auto", runtime: RuntimeName = "torch", threads: int | None = None
    ) -> LoadedModel:
        """Return a model ready to reconstruct; the first call for it verifies and loads, the others wait for that.

        Parameters
        ----------
        name
            As ``card`` takes it.
        device
            ``auto`` (a GPU if there is one), or as ``torch.device`` takes it.
        runtime
            What computes the network's real-valued parts.
        threads
            Processor threads of ONNX Runtime; None: as many as torch has.

        Raises
        ------
        ModelError
            As ``network``; or it is a prior, or there is no such device, or the runtime cannot run the model.
        """
        from .runtimes.loaded_model import LoadedModel, deploy

        def make(card: ModelCard, network: Network, where: torch.device) -> LoadedModel:
            return deploy(card, network, device=where, runtime=runtime, threads=threads)

        loaded = self._load(name, "supervised", device, (runtime, threads), make)
        assert isinstance(loaded, LoadedModel)
        return loaded

    def load_prior(
        self,
        name: str,
        *,
        device: str = "auto",
        runtime: RuntimeName | Literal["auto"] = "onnx",
        threads: int | None = None,
    ) -> LoadedPrior:
        """Return a prior ready to denoise; arguments and errors as ``load``, ``auto`` for ``fastest_runtime``."""
        from .runtimes.device import find_device
        from .runtimes.fastest import fastest_runtime
        from .runtimes.loaded_prior import LoadedPrior, deploy_prior

        if runtime == "auto":
            runtime = fastest_runtime(find_device(device))

        def make(card: ModelCard, network: Network, where: torch.device) -> LoadedPrior:
            return deploy_prior(card, network, device=where, runtime=runtime, threads=threads)

        loaded = self._load(name, "prior", device, (runtime, threads), make)
        assert isinstance(loaded, LoadedPrior)
        return loaded

    def _load(
        self,
        name: str,
        kind: Literal["supervised", "prior"],
        device: str,
        variant: tuple[object, ...],
        make: Callable[[ModelCard, Network, torch.device], LoadedModel | LoadedPrior],
    ) -> LoadedModel | LoadedPrior:
        from .runtimes.device import find_device

        folder, card = self._open(name)
        if card.kind != kind:
            others = ", ".join(self.names(kind)) or "none"
            raise ModelError(f"{card.label} is of the kind {card.kind!r}, expected {kind!r}; of that kind: {others}")
        where = find_device(device)
        key = (folder, card.sha256, str(where), *variant)
        with self._lock:
            loading = self._loading[key]
        with loading:
            if key not in self._loaded:
                network = _network(card, read_weights(folder / WEIGHTS, card)).to(where)
                self._loaded[key] = make(card, network, where)
            return self._loaded[key]

    def _found(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self._folders:
            for file in folder.glob("*/card.toml"):
                if _NAME.fullmatch(file.parent.name):
                    found.setdefault(file.parent.name, file.parent)
        return found

    def _open(self, name: str) -> tuple[Path, ModelCard]:
        """Folder and card; a name is looked up among those found, so none can lead elsewhere."""
        found = self._found()
        name = own_name(name)
        matched = _NAME.fullmatch(name)
        if matched is None or matched[1] not in found:
            close = difflib.get_close_matches(name.partition("@")[0], found, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise ModelError(f"no model is named {name[:120]!r}{hint} Known: {', '.join(sorted(found)) or 'none'}")
        folder = found[matched[1]]
        card = read_card(folder)
        if card.name != folder.name:
            raise ModelError(f"model card {folder / 'card.toml'} is of {card.name!r}, expected {folder.name!r}")
        if matched[2] and int(matched[2]) != card.version:
            raise ModelError(f"got the model {name!r}, but here is {card.label}; leave out @{matched[2]} to take that")
        return folder, card


@cache
def shared_store() -> ModelStore:
    """Return the store of the shipped models that everything in this process shares."""
    return ModelStore(SHIPPED)


def read_weights(file: Path, card: ModelCard) -> dict[str, Tensor]:
    """Read a model's weights as float32, if they are the ones that its card describes.

    Raises
    ------
    ModelError
        The file is missing, has another checksum, or is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"the weights of {card.label} cannot be read: {error}") from None
    got = hashlib.sha256(content).hexdigest()
    if got != card.sha256:
        raise ModelError(
            f"{file} is not the file that {card.label} was published with: its SHA-256 is {got}, expected "
            f"{card.sha256}; it is damaged or was changed: install echotrain again, or train the model again "
            f"(echotrain train {card.recipe})"
        )
    try:
        state = load(content)
    except SafetensorError as error:
        raise ModelError(f"{file} is no safetensors file: {error}") from None
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def write_model(
    folder: Path,
    state: Mapping[str, Tensor],
    card: ModelCard,
    *,
    storage: Literal["float32", "float16"] = "float32",
) -> ModelCard:
    """Write weights, card and README of a model; curves.png is shown in the README if it is there already.

    Parameters
    ----------
    folder
        The model's own; made if need be. A store finds it if its name is the model's.
    state
        The network's ``state_dict``.
    card
        Without checksum and number of parameters.
    storage
        Precision on disk, of all real numbers; float16 halves the file at a relative error of 5e-4 for each.

    Returns
    -------
    ModelCard
        The card as written.

    Raises
    ------
    ModelError
        The weights do not fit the network that the card names, or one is not finite in that precision.
    """
    import torch
    from safetensors.torch import save

    dtype = {"float32": torch.float32, "float16": torch.float16}[storage]
    stored = {
        n: v.detach().cpu().to(dtype if v.is_floating_point() else v.dtype).contiguous() for n, v in state.items()
    }
    broken = [name for name, value in stored.items() if not value.isfinite().all()]
    if broken:
        raise ModelError(f"{card.label}: weights that are infinite or NaN in {storage}: {', '.join(broken)}")
    network = _network(card, {name: value.to(state[name].dtype) for name, value in stored.items()})
    content = save(stored)
    written = card.model_copy(
        update={
            "sha256": hashlib.sha256(content).hexdigest(),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / f"{WEIGHTS}.part"
    begun.write_bytes(content)
    begun.replace(folder / WEIGHTS)
    write_card(written, folder)
    (folder / "samples.png").unlink(missing_ok=True)  # of the weights before
    write_readme(written, folder)
    return written


def _network(card: ModelCard, state: Mapping[str, Tensor]) -> Network:
    from .networks.build import build

    try:
        network = build(card.architecture, card.options)
        network.load_state_dict(state)
    except (ValueError, RuntimeError) as error:  # torch's text lists every key and shape that does not fit
        raise ModelError(f"the weights of {card.label} fit no network: {error}") from None
    return network.eval().requires_grad_(False)
